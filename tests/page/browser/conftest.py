"""One server with its networks and a collection, and one browser, for all walks through the page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from support.browser import Watched, picture_folder, watched
from support.commands import flat_image, shifted_photographs
from support.localised import Scene, make_scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Opened = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    return make_scene(tmp_path_factory.mktemp("collection"))


def _serving(*flags: Any) -> Iterator[str]:
    command = [sys.executable, "-m", "cyano", "serve", "--port", "0", "--device", "cpu", *map(str, flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.communicate()
        yield address
        process.kill()


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of a pan over a photograph, 8 pixels to the right each time."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    folder = tmp_path_factory.mktemp("frames")
    for number in range(6):
        Image.fromarray(data.astronaut()[20:260, 8 * number : 8 * number + 320]).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def address(browser: Browser, scene: Scene, frames: Path) -> Iterator[str]:
    """Of a server with a collection and live pictures; the browser comes first, so that nothing is started in vain."""
    yield from _serving("--collection", scene.model, "--images", scene.images, "--live", frames)


@pytest.fixture(scope="session")
def opened(browser: Browser, address: str, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Opens the page, in a size, a theme and a tab."""
    pictures = picture_folder(tmp_path_factory.mktemp("pictures"))
    return lambda **choice: watched(browser, address, pictures, **choice)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.png and b.png, which show the same, flat.png, which shows nothing, and notes.txt, which is no image."""
    pytest.importorskip("skimage", reason="scikit-image brings the photographs")
    folder = tmp_path_factory.mktemp("photographs")
    shifted_photographs(folder)
    flat_image(folder / "flat.png")
    (folder / "notes.txt").write_text("not an image")
    return folder
