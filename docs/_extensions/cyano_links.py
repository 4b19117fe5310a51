"""Links to files outside of docs: to the page that includes the file, where there is one, else to a copy of it."""

from __future__ import annotations

import re
from functools import cache
from os.path import relpath
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["setup"]

DOCS = Path(__file__).parents[1]
INCLUDED = re.compile(r"^```\{include\} (\S+)", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")


@cache
def pages() -> dict[Path, Path]:
    """The page of each file that a page includes, and of the folders whose README one includes."""
    found = {DOCS.parent / "README.md": DOCS / "index.md"}
    for page in DOCS.rglob("*.md"):
        for target in INCLUDED.findall(page.read_text()):
            found[(page.parent / target).resolve()] = page
    return found | {path.parent: page for path, page in found.items() if path.name == "README.md"}


def rewritten(text: str, source: Path, page: Path) -> str:
    """The text of `source` as part of `page`: relative links lead where they do from `source`."""

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], (source.parent / found[2]).resolve(), found[3] or ""
        target = pages().get(target, target)
        if not target.exists():
            return found[0]
        if target.is_dir():
            return words
        scheme = "" if target.suffix == ".md" and target.is_relative_to(DOCS) else "path:"
        return f"[{words}]({scheme}{relpath(target, page.parent)}{'' if scheme else anchor})"

    return LINK.sub(link, text)


def _on_read(sphinx: Sphinx, name: str, content: list[str]) -> None:
    page = DOCS / f"{name}.md"
    content[0] = rewritten(content[0], page, page)


def _on_include(sphinx: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    source = (DOCS / path).resolve()
    content[0] = rewritten(content[0], source, pages()[source])


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Listen to what is read."""
    sphinx.connect("source-read", _on_read)
    sphinx.connect("include-read", _on_include)
    return {"parallel_read_safe": True}
