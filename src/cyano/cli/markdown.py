"""Markdown reports on a screen: tables in columns that fit it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from cyano.cli.output import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_markdown", "table_lines"]

_GAP = "  "


def print_markdown(console: Console, text: str) -> None:
    """Print headings, lists and paragraphs as they are, wrapped, and tables in columns."""
    for is_table, lines in groupby(printable(text).splitlines(), key=lambda line: line.startswith("|")):
        block = list(lines)
        shown = table_lines(_cells(block), console.width) if is_table else _wrapped(block, console.width)
        for line in shown:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def table_lines(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A table, its header first, in at most `width` columns of the screen.

    A wider one is turned on its side, in as many blocks as it takes: one line for each of its columns, and the values
    of some of its rows beside them.
    """
    lines = _aligned(rows)
    if max(map(len, lines), default=0) <= width or len(rows) < 2:
        return lines
    header, *values = rows
    lines = []
    block: list[Sequence[str]] = []
    for row in values:
        if block and len(_aligned(_turned([header, *block, row]))[0]) > width:
            lines += [*_aligned(_turned([header, *block])), ""]
            block = []
        block.append(row)
    return lines + _aligned(_turned([header, *block]))


def _turned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, the first one to the left and the others to the right."""
    widths = [max(map(len, column)) for column in _turned(rows)]
    return [
        _GAP.join(
            [row[0].ljust(widths[0]), *(cell.rjust(wide) for cell, wide in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _cells(lines: Sequence[str]) -> list[list[str]]:
    """The cells of a Markdown table without the line below its header."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    kept = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    longest = max(map(len, kept), default=0)
    return [row + [""] * (longest - len(row)) for row in kept]


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    """Lines that are too long wrapped between words, those of a list with a hanging indent; no pictures."""
    shown: list[str] = []
    for line in lines:
        if re.match(r"!\[.*\]\(.*\)$", line):
            continue
        indent = "  " if line.startswith("- ") else ""
        wrapped = textwrap.wrap(line.lstrip("#").strip(), width, subsequent_indent=indent, break_long_words=False)
        shown += wrapped or [""]
    return shown
