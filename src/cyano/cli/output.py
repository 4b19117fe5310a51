"""What goes to the screen: results to stdout, everything else to stderr."""

from __future__ import annotations

import logging
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from cyano.concise import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from cyano.progress import Watcher

__all__ = [
    "UNKNOWN_LICENCE",
    "busy",
    "counted",
    "error_console",
    "is_verbose",
    "plain_line",
    "print_facts",
    "print_json",
    "print_notes",
    "result_console",
    "set_verbosity",
    "watching",
]

UNKNOWN_LICENCE = "unknown: they have no model card that states it; ask their authors"
"""What is said of the licence of weights that state none."""


@dataclass
class _Verbosity:
    quiet: bool = False
    verbose: bool = False


_VERBOSITY = _Verbosity()


def set_verbosity(*, quiet: bool, verbose: bool) -> None:
    """How much this command tells: with `quiet` neither summary nor progress, with `verbose` the log as well."""
    _VERBOSITY.quiet, _VERBOSITY.verbose = quiet, verbose
    logger = logging.getLogger("cyano")
    logger.handlers = [each for each in logger.handlers if not isinstance(each, _Log)]
    logger.setLevel(logging.DEBUG if verbose else logging.NOTSET)
    logger.addHandler(_Log(sys.stderr))


class _Log(logging.StreamHandler):  # type: ignore[type-arg]
    """The log on stderr: warnings, and all of it with -v."""

    def format(self, record: logging.LogRecord) -> str:
        """The message as a terminal may have it."""
        return printable(super().format(record))


def is_verbose() -> bool:
    """Whether the log and tracebacks are wanted."""
    return _VERBOSITY.verbose


_STEERING = (set(range(0x20)) - set(b"\t\n")).union(range(0x7F, 0xA0), range(0x202A, 0x202F), range(0x2066, 0x206A))
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _STEERING}


def error_console() -> Console:
    """Messages and progress."""
    from rich.console import Console

    return Console(stderr=True)


def plain_line(console: Console, text: str, style: str | None = None) -> None:
    """One line as it is: not wrapped, no markup, and names of files that are no text with question marks."""
    console.print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """The text as a terminal may have it: names of files can hold anything.

    Bytes that are no text become question marks, and characters that would steer the terminal or turn the direction of
    writing are escaped.
    """
    return text.encode("utf-8", "replace").decode("utf-8").translate(_ESCAPES)


def result_console(as_json: bool) -> Console:
    """Tables for people: stdout, unless that is reserved for JSON; nowhere with -q."""
    from rich.console import Console

    return Console(stderr=as_json, quiet=_VERBOSITY.quiet)


def print_notes(notes: Iterable[str]) -> None:
    """What the user should know, on stderr; nowhere with -q."""
    for note in [] if _VERBOSITY.quiet else notes:
        plain_line(error_console(), f"note: {note}", style="yellow")


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    typer.echo(json_text(document), nl=False)


def print_facts(console: Console, title: str, facts: Sequence[tuple[str, str]]) -> None:
    """A small table of names and values; values wrap between words alone, so that paths and checksums can be copied."""
    from rich.text import Text

    plain_line(console, title)
    indent = max((len(name) for name, _ in facts), default=0) + 2
    for name, value in facts:
        for index, line in enumerate(_wrapped(printable(value), console.width - indent)):
            label = (name if index == 0 else "").ljust(indent)
            console.print(Text.assemble((label, "cyan"), line), soft_wrap=True, highlight=False)


def _wrapped(text: str, width: int) -> list[str]:
    """Its lines, those that are too long wrapped between words."""
    width = max(width, 20)
    lines: list[str] = []
    for line in text.split("\n"):
        fits = len(line) <= width
        lines += [line] if fits else textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
    return lines


def _shows_progress(console: Console) -> bool:
    return console.is_terminal and not _VERBOSITY.quiet


@contextmanager
def busy(what: str) -> Iterator[None]:
    """A spinner on stderr while something runs, if stderr is a terminal."""
    console = error_console()
    if not _shows_progress(console):
        yield
        return
    with console.status(what):
        yield


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr, if that is a terminal; the value is called after each of the `total` steps."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = error_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not _shows_progress(console), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def watching(*, aside: bool = False) -> Iterator[Watcher]:
    """A bar for each stage of a run on stderr, if that is a terminal, and its lines on stdout, or `aside` on stderr."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = error_console()
    ends = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(elapsed_when_finished=False))
    columns = (TextColumn("{task.description}"), BarColumn(), *ends)
    # Lines scroll by above the bars where both are seen; a log that goes to a file is left alone.
    shared = sys.stdout.isatty()
    hidden = not _shows_progress(console)
    with Progress(*columns, console=console, disable=hidden, redirect_stdout=shared) as progress:
        yield _Bars(progress, aside)


class _Bars:
    """The stages of a run as bars; lines scroll by above them."""

    def __init__(self, progress: Progress, aside: bool) -> None:
        self._progress = progress
        self._aside = aside
        self._tasks: dict[str, TaskID] = {}

    def say(self, line: str) -> None:
        """Print a line."""
        if not _VERBOSITY.quiet:
            typer.echo(printable(line), err=self._aside)

    def at(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage, whose total may grow."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage)
        self._progress.update(self._tasks[stage], completed=done, total=total)
