"""The files of the page: nothing of others but what is told, nothing from elsewhere, the bundle as it is built."""

from __future__ import annotations

import filecmp
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = Path(str(files("cyano.page"))) / "static"
WEB = Path(__file__).parents[2] / "web"
VENDOR = STATIC / "vendor"


class _Attributes(HTMLParser):
    """Collects what the policy forbids: scripts and styles in the document itself, and addresses of others."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in values):
            self.forbidden.append(tag)
        self.forbidden += [name for name in values if name == "style" or name.startswith("on")]
        self.links += [value for name, value in attrs if name in ("src", "href") and value and value[0] != "#"]


def test_the_page_has_no_script_and_no_style_in_itself() -> None:
    seen = _Attributes()
    seen.feed((STATIC / "index.html").read_text())
    assert seen.forbidden == []
    for link in seen.links:
        assert (STATIC.parent / link).is_file(), link  # and therefore of the page's own


def test_no_file_names_another_machine() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix in (".js", ".css", ".html", ".svg") and path.parent != VENDOR:
            found = re.findall(r"(?:https?|wss?):?//[\w.]*", path.read_text())
            assert set(found) <= {"http://www.w3.org"}, path  # the name space of SVG


def imported(path: Path) -> set[Path]:
    """A bundle and those that it cannot do without."""
    names = re.findall(r"""(?:from|import)\s*["'](\.[^"']+)["']""", path.read_text())
    return {path}.union(*(imported((path.parent / name).resolve()) for name in names))


def test_modules_that_are_imported_are_there() -> None:
    for path in (STATIC / "js").rglob("*.js"):
        for name in re.findall(r"""(?:from|import\(?)\s*["'](\.[^"']+)["']""", path.read_text()):
            assert (path.parent / name).is_file(), f"{path}: {name}"


def test_the_page_is_small() -> None:
    """What is loaded when it is opened; the other tabs and three.js come when they are looked at."""
    opened = {*imported(STATIC / "js" / "page.js"), STATIC / "css" / "page.css"}
    assert not {"collection.js", "scene.js", "live.js", "three.js"} & {path.name for path in opened}
    assert sum(path.stat().st_size for path in opened) < 60_000  # decision 23
    assert not list(STATIC.rglob("*.map"))


def test_the_notice_comes_with_the_bundle() -> None:
    version = re.match(r"/\* three\.js ([\d.]+), MIT", (VENDOR / "three.js").read_text())
    assert version is not None
    notice = (VENDOR / "notices.txt").read_text()
    assert f"three.js {version[1]}" in notice
    assert "Permission is hereby granted" in notice
    assert "vendor/notices.txt" in (STATIC / "index.html").read_text()


@pytest.fixture
def node() -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node, which bundles, is not installed")
    if not (WEB / "node_modules/esbuild").is_dir():
        pytest.skip("the bundler is not installed; scripts/web does it")
    return program


def test_the_bundles_are_what_their_sources_give(node: str, tmp_path: Path) -> None:
    subprocess.run([node, "build.mjs", tmp_path], cwd=WEB, check=True, capture_output=True)
    for folder in ("js", "css", "vendor"):
        made, kept = tmp_path / folder, STATIC / folder
        names = sorted(path.name for path in made.iterdir())
        assert names == sorted(path.name for path in kept.iterdir()), "run scripts/web"
        different = filecmp.cmpfiles(made, kept, names, shallow=False)[1:]
        assert different == ([], []), "run scripts/web"


def test_the_types_of_the_scripts_hold(node: str) -> None:
    checker = WEB / "node_modules/.bin/tsc"
    found = subprocess.run([checker, "-p", "tsconfig.json"], cwd=WEB, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
