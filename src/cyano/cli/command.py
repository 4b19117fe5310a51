"""The commands' class: original spellings, -q and -v, and a help text that fits 80 columns."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cyano.cli.output import set_verbosity

__all__ = ["Command", "Group", "fold_resize", "take_verbosity"]

_QUIET, _VERBOSE = ("-q", "--quiet"), ("-v", "--verbose")
_COMMON = (
    ("-q, --quiet", "Print errors and the JSON document only."),
    ("-v, --verbose", "Also print the log, and the traceback of an error."),
    ("-h, --help", "Show this message and exit."),
)
_NUMBERS = {"int": "N", "integer": "N", "int range": "N", "integer range": "N", "float": "X", "float range": "X"}
_TYPES = {**_NUMBERS, "path": "PATH", "str": "TEXT", "text": "TEXT", "list[path]": "PATH"}
_WIDEST, _LEFT = 100, 28
"""Columns of a help text at most, and those of the names of options."""


class Command(TyperCommand):
    """A command whose `--resize` takes one number or two, as the original program's does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments after `--resize 640 480` became `--resize 640 --resize 480`."""
        return super().parse_args(ctx, fold_resize(take_verbosity(args)))

    def get_usage(self, ctx: Any) -> str:
        """The first line of the help, also above an error of usage."""
        return f"Usage: {ctx.command_path} [OPTIONS] {' '.join(map(_argument_name, self._arguments()))}".rstrip()

    def _arguments(self) -> list[Any]:
        return [each for each in self.params if each.param_type_name == "argument"]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help: usage, text, arguments, and options by panels."""
        arguments = self._arguments()
        names = [_argument_name(each) for each in arguments]
        typer.echo(self.get_usage(ctx) + "\n")
        typer.echo(_prose(self.help or ""))
        _section("Arguments", [(name, _described(each)) for name, each in zip(names, arguments, strict=True)])
        panels: dict[str, list[tuple[str, str]]] = {"Options": []}
        for each in self.params:
            if each.param_type_name == "option" and not getattr(each, "hidden", False) and each.name != "help":
                panel = getattr(each, "rich_help_panel", None) or "Options"
                panels.setdefault(panel, []).append((_option_name(each, ctx), _described(each)))
        panels["Options"] += _COMMON
        for panel in [*(name for name in panels if name != "Options"), "Options"]:
            _section(panel, panels[panel])


class Group(TyperGroup):
    """A command with commands below it."""

    def get_usage(self, ctx: Any) -> str:
        """The first line of the help, also above an error of usage."""
        return f"Usage: {ctx.command_path} COMMAND [OPTIONS] ..."

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help: usage, text, and the commands in the order in which they were added."""
        typer.echo(self.get_usage(ctx) + "\n")
        typer.echo(_prose(self.help or ""))
        commands = [(name, command) for name, command in self.commands.items() if not command.hidden]
        _section("Commands", [(name, _first_sentence(command.help or "")) for name, command in commands])
        options = [(_option_name(each, ctx), _described(each)) for each in self.params if each.name != "help"]
        _section("Options", [*options, _COMMON[-1]])

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order in which they were added."""
        return list(self.commands)


def take_verbosity(args: Sequence[str]) -> list[str]:
    """The arguments without -q and -v, which take effect at once."""
    end = args.index("--") if "--" in args else len(args)
    ours = [argument for argument in args[:end] if argument in (*_QUIET, *_VERBOSE)]
    set_verbosity(quiet=any(each in _QUIET for each in ours), verbose=any(each in _VERBOSE for each in ours))
    return [argument for argument in args[:end] if argument not in (*_QUIET, *_VERBOSE)] + list(args[end:])


def fold_resize(args: Sequence[str]) -> list[str]:
    """Repeat `--resize` before each further whole number that follows it; 640x480 are two numbers."""
    folded: list[str] = []
    inside = False  # whether the arguments just before are --resize and numbers
    split = _split_sizes(args)
    for index, argument in enumerate(split):
        if argument == "--":
            return folded + split[index:]
        is_number = re.fullmatch(r"-?\d+", argument) is not None
        if inside and is_number and folded[-1] != "--resize":
            folded.append("--resize")
        folded.append(argument)
        inside = argument.split("=")[0] == "--resize" or (inside and is_number)
    return folded


def _split_sizes(args: Sequence[str]) -> list[str]:
    """`--resize 640x480` and `--resize 640,480` as `--resize 640 480`."""
    split: list[str] = []
    for argument in args:
        size = re.fullmatch(r"((?:--resize=)?\d+)[xX,](\d+)", argument)
        if size is not None and (argument.startswith("--resize=") or split[-1:] == ["--resize"]):
            split += size.groups()
        else:
            split.append(argument)
    return split


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _prose(text: str) -> str:
    """Paragraphs, wrapped; those that begin with a backspace are examples and keep their lines."""
    parts = []
    for paragraph in text.replace("\\[", "[").split("\n\n"):
        if paragraph.startswith("\b\n"):
            parts += ["\n".join(_example(line) for line in paragraph.splitlines()[1:])]
        else:
            parts.append(_wrapped(" ".join(paragraph.split()), ""))
    return "\n\n".join(parts)


def _example(line: str) -> str:
    """A command, continued on further lines where it is too long for one."""
    wrapped = textwrap.wrap(line, _width() - 8, break_long_words=False, break_on_hyphens=False)
    return line and "  " + " \\\n      ".join([line] if len(line) <= _width() - 2 else wrapped)


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text, _width(), subsequent_indent=indent, initial_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _section(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A heading, and what the names mean beside them, or below long ones."""
    rows = list(rows)
    if not rows:
        return
    typer.echo(f"\n{title}:")
    for name, text in rows:
        described = _wrapped(text, " " * (_LEFT + 2))
        if len(name) < _LEFT:
            typer.echo(f"  {name.ljust(_LEFT)}{described.lstrip()}")
        else:
            typer.echo(f"  {name}" + (f"\n{described}" if text else ""))


def _argument_name(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).strip("{}[]")
    return name if argument.required else f"[{name}]"


def _option_name(option: Any, ctx: Any) -> str:
    """Its short name, its first long name and what it takes; further long names are old spellings."""
    short = [name for name in option.opts if not name.startswith("--")]
    long = [name for name in option.opts if name.startswith("--")]
    name = ", ".join([*short[:1], *long[:1]])
    name = name if short else f"    {name}"
    return name if option.is_flag else f"{name} {_value(option, ctx)}"


def _value(option: Any, ctx: Any) -> str:
    """What an option takes: N, X, PATH or its choices."""
    if option.metavar:
        return str(option.metavar)
    told = option.display_type_rich(ctx=ctx) if hasattr(option, "display_type_rich") else option.make_metavar(ctx)
    told = str(told).strip("<>[]")
    return _TYPES.get(told.lower().removesuffix("]") + ("]" if "[" in told else ""), told)


def _described(parameter: Any) -> str:
    """The help with the default."""
    text = getattr(parameter, "help", None) or ""
    shown, default = getattr(parameter, "show_default", None), parameter.default
    if isinstance(shown, str):
        told: str | None = shown
    elif shown and default is not None and default is not False and not callable(default):
        told = str(default)
    else:
        told = None
    if parameter.required and parameter.param_type_name == "option":
        return f"{text} [required]"
    return text if told is None else f"{text} [default: {told}]"


def _first_sentence(text: str) -> str:
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return first.split(". ")[0].removesuffix(".").replace("\\[", "[") + "."
