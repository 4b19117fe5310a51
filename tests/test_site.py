"""The site builds without a warning, holds all of the reference, and asks no other machine for anything."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from cyano.cli.main import app
from support.site import ROOT, built_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("sphinx", reason="the site needs the extra docs")
pytest.importorskip("furo", reason="the site needs the extra docs")

SECTION = re.compile(r'<section id="cyano-([\w-]+)">(.*?)</section>', re.DOTALL)
CODE = re.compile(r"<code[^>]*>(.*?)</code>", re.DOTALL)
ASSET = re.compile(r'<(?:script|img|link|iframe|source|video)\b[^>]*?(?:src|href)="([^"]+)"')
LARGEST_PAGE = 400_000
"""Bytes of a page's HTML: the longest reference has 280 kB."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str = "master") -> Path:
    """The built pages."""
    base = tmp_path_factory.getbasetemp()
    return built_site(base if worker_id == "master" else base.parent)


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield prefix + name, command


def _rows(site: Path) -> Iterator[tuple[str, list[str], str]]:
    """Each row of an option in all pages of commands: the command, its spellings, and the text of the row."""
    for page in (site / "reference" / "commands").glob("*.html"):
        for command, section in SECTION.findall(page.read_text()):
            for row in section.split("<tr ")[1:]:
                cell, _, _ = row.partition("</td>")
                names = [re.sub("<[^>]*>", "", code) for code in CODE.findall(cell)]
                if names and names[0].startswith("-"):
                    yield command, names, re.sub("<[^>]*>", "", row)


def _options() -> Iterator[tuple[str, Any]]:
    for name, command in _commands(typer.main.get_command(app)):
        for option in command.params:
            if option.param_type_name == "option" and not option.hidden and option.name != "help":
                yield name.replace(" ", "-"), option


def test_each_option_of_each_command_is_in_one_table(site: Path) -> None:
    wanted = {(name, each) for name, option in _options() for each in (*option.opts, *option.secondary_opts)}
    assert len(wanted) > 500
    told = Counter((command, name) for command, names, _ in _rows(site) for name in names)
    assert told == Counter(dict.fromkeys(wanted, 1))


def test_defaults_are_told(site: Path) -> None:
    rows = {(command, name): text for command, names, text in _rows(site) for name in names}
    for command, option in _options():
        default = option.show_default if isinstance(option.show_default, str) else option.default
        if default is not None and not isinstance(default, bool) and not callable(default):
            told = html.unescape(rows[command, option.opts[0]])
            assert str(getattr(default, "value", default)).replace("`", "") in told, (command, option.opts)


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    known = {name for kind, entries in inventory.data.items() if kind.startswith("py:") for name in entries}
    modules = re.findall(
        r"^```\{public-names\} (\S+)", "".join(p.read_text() for p in (ROOT / "docs").rglob("*.md")), re.MULTILINE
    )
    assert {"cyano", "cyano.geometry", "cyano.localisation", "cyano.formats", "cyano.errors"} <= set(modules)
    bare = {name.rpartition(".")[2] for name in known}
    for module in modules:
        for name in import_module(module).__all__:
            assert name.startswith("_") or f"{module}.{name}" in known or name in bare, f"{module}.{name}"
    inherited = {
        "cyano.PairResult.keypoints0",
        "cyano.PairResult.save_json",
        "cyano.hf.SuperGlueConfig.from_pretrained",
    }
    assert inherited <= known, "of bases that have no page"


def test_every_public_package_is_in_the_reference() -> None:
    """A package with a list of public names has a page; that of the weights in the wheel is files, not names."""
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "reference").rglob("*.md"))
    source = ROOT / "src" / "cyano"
    listed = {path.parent.name for path in source.glob("*/__init__.py") if "__all__" in path.read_text()}
    for name in sorted((listed | {"errors", "types"}) - {"weights"}):
        assert f"{{public-names}} cyano.{name}\n" in pages, name


def test_nothing_is_asked_from_other_machines(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert len(text) < LARGEST_PAGE, page
        foreign = [each for each in ASSET.findall(text) if re.match(r"(?:\w+:)?//", each)]
        assert not foreign, (page, foreign)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text()), sheet


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """A page of the width of a phone, which has asked for nothing but the site's own files at its end."""
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    opened = context.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []


def test_search_finds_how_to_localise(page: Page, site: Path) -> None:
    page.goto((site / "search.html").as_uri() + "?q=localise")
    page.get_by_text("Search finished").wait_for(timeout=60_000)  # results appear one after the other
    found = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.href)")
    assert any("how-to/localise.html" in link for link in found), found


@pytest.mark.parametrize("name", ["index", "gallery", "conventions", "reference/commands/match", "tutorials/model"])
def test_pages_fit_a_phone(page: Page, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    missing = page.evaluate("[...document.images].filter(each => !each.naturalWidth).map(each => each.src)")
    assert missing == []
