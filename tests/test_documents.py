"""The README and the documents are programs: every Python block and every `cyano` command in them runs.

Each document runs from top to bottom in a folder of its own, which holds two photographs `a.jpg` and `b.jpg`, a mask
`a_mask.png`, and a folder `photos` with a list of pairs. Where a document speaks of them, there is a folder `scene` of
six pictures that a reconstruction can be made from, and more pictures of that scene, `new.png` and the folder `walk`;
or a movie `walk.mp4`, a pan over one of the photographs.
Links between the documents are checked as well.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.movies import write_movie
from support.walk import render_walk, write_view, write_walk

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)]+)\)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _prepare(folder: Path, text: str) -> None:
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photographs")
    left, right, _ = data.stereo_motorcycle()
    for name, pixels in (("a", left), ("b", right)):
        small = Image.fromarray(pixels).resize((640, 432), Image.Resampling.LANCZOS)
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 28  # FocalLengthIn35mmFilm
        small.save(folder / f"{name}.jpg", quality=95, exif=exif)
    mask = np.zeros((432, 640), np.uint8)
    mask[100:, :] = 255
    Image.fromarray(mask).save(folder / "a_mask.png")
    photos = folder / "photos"
    photos.mkdir()
    for name in ("a", "b"):
        (photos / f"{name}.jpg").write_bytes((folder / f"{name}.jpg").read_bytes())
    Image.fromarray(left).resize((320, 216)).save(photos / "c.jpg")
    (folder / "pairs.txt").write_text("a.jpg b.jpg\na.jpg c.jpg\n")
    if " scene " in text:
        write_walk(folder / "scene")
    if " walk.mp4 " in text:
        steps = [np.ascontiguousarray(left[100:340, 12 * step : 12 * step + 320]) for step in range(6)]
        write_movie(folder / "walk.mp4", [0.2 * step for step in range(6)], codec="libx264", pictures=steps)
    if " new.png " in text:
        (folder / "walk").mkdir()
        views = render_walk(at=(1.5, 2.5, 3.3))
        for name, view in zip(("new.png", "walk/1.png", "walk/2.png"), views, strict=True):
            write_view(view, folder / name)


def _run_command(command: str, folder: Path) -> None:
    program = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    run = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"


def _commands(block: str) -> list[str]:
    joined = block.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("cyano ")]


WITH_EXAMPLES = [path for path in DOCUMENTS if BLOCK.search(path.read_text())]


@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = document.read_text()
    blocks = BLOCK.findall(text)
    _prepare(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for language, block in blocks:
        if language == "python":
            exec(compile(block, str(document), "exec"), namespace)
        else:
            for command in _commands(block):
                _run_command(command, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_are_headings(document: Path) -> None:
    """A link to a heading has GitHub's anchor of it: lower case, punctuation left out, spaces as hyphens."""
    for target, anchor in ANCHOR.findall(document.read_text()):
        if "://" not in target:
            text = (document.parent / target).read_text() if target else document.read_text()
            assert anchor in _anchors(text), f"{target}#{anchor}"


def _anchors(text: str) -> set[str]:
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = [
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", each) for each in re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    ]
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a machine, and no registry's host, in what is shipped."""
    foreign = re.compile(r"/work/|/root/|pypi\.org|files\.pythonhosted|registry\.npmjs|deb\.debian")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    if not tracked:
        pytest.skip("not a git checkout")
    for name in tracked.splitlines():
        path = ROOT / name
        if path == Path(__file__) or not path.is_file() or path.suffix in {".onnx", ".safetensors", ".png", ".jpg"}:
            continue
        assert not foreign.search(path.read_text()), name


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("[!i]*.md")), ids=lambda path: path.stem)
def test_each_how_to_ends_with_what_can_go_wrong(page: Path) -> None:
    headings = re.findall(r"^## (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.M), re.M)
    assert headings[-1] == "What can go wrong"
