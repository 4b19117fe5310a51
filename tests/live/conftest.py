"""What the tests of live sessions share: frames and networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cyano.checkpoints.loading import Networks, load


@pytest.fixture(scope="session")
def networks() -> Networks:
    return load()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six frames of a pan over a photograph, 8 pixels to the right each time."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    for number in range(6):
        Image.fromarray(data.astronaut()[20:140, 8 * number : 8 * number + 160]).save(tmp_path / f"{number}.png")
    return tmp_path
