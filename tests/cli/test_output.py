"""What the screen shows keeps paths and checksums in one piece, and matrices in columns."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console
from rich.progress import Progress

from cyano.cli.output import _Bars, print_facts, printable, set_verbosity


def _printed(facts: list[tuple[str, str]], width: int = 80) -> list[str]:
    buffer = io.StringIO()
    print_facts(Console(file=buffer, width=width), "a [b] title", facts)
    return [line.rstrip() for line in buffer.getvalue().splitlines()]


def test_checksums_and_paths_are_not_broken() -> None:
    digest, path = "0123456789abcdef" * 4, "/a/very-long/" * 12
    lines = _printed([("sha256 model.safetensors", digest), ("file", path)])
    assert lines[0] == "a [b] title"
    assert any(line.endswith(digest) for line in lines)
    assert any(line.endswith(path) for line in lines)


def test_sentences_wrap_between_words_beneath_their_column() -> None:
    lines = _printed([("name", "word " * 40), ("n", "x")], 60)
    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith("      word") for line in lines[2:-1])
    assert lines[-1] == "n     x"


def test_the_rows_of_a_matrix_stay_in_columns() -> None:
    assert _printed([("H", "[  1  0]\n[100  1]")])[1:] == ["H  [  1  0]", "   [100  1]"]


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\x1b[31mb\x07\x9b\r\u202e.jpg") == r"a\x1b[31mb\x07\x9b\x0d\u202e.jpg"
    assert printable("two\nlines\tand ä, 漢, \udcff") == "two\nlines\tand ä, 漢, ?"
    assert _printed([("file", "\x1b]0;x\x07.jpg")])[1:] == [r"file  \x1b]0;x\x07.jpg"]
    set_verbosity(quiet=False, verbose=False)
    logging.getLogger("cyano.test").warning("%s is changed", "\x1b[2J.jpg")
    assert r"\x1b[2J.jpg is changed" in capsys.readouterr().err


def test_a_bar_follows_a_total_that_grows() -> None:
    """Of frames, whose number nobody knows before."""
    progress = Progress(disable=True)
    bars = _Bars(progress, aside=False)
    for number in (1, 2):
        bars.at("choosing", number, number)
    (task,) = progress.tasks
    assert (task.completed, task.total) == (2, 2)
