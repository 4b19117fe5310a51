"""One map for all tests that need a real one: it takes a reconstruction."""

from __future__ import annotations

import pytest

from support.localised import Scene, make_scene


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    return make_scene(tmp_path_factory.mktemp("localised"))
