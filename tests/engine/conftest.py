"""One small collection, and the stores of a run over it that nothing disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import collection


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collection.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def undisturbed(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    for summary in collection.run_all(images, root):
        assert (summary.exit_status, summary.done) == (0, summary.total)
    return root
