"""The directive `command`: one command of the program with every argument and option, as Typer has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cyano.cli.command import _argument_name, _value
from cyano.cli.main import app

__all__ = ["commands", "markdown", "setup"]


class CommandDirective(SphinxDirective):
    """`{command} train detector` is the reference of `cyano train detector`."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Parse the command's Markdown where the directive stands."""
        return self.parse_text_to_nodes(markdown(self.arguments[0]), allow_section_headings=True)


def commands() -> dict[str, Any]:
    """All commands by name, `train detector` among them, hidden ones left out."""
    return dict(_below(_program(), ""))


@cache
def _program() -> Any:
    return typer.main.get_command(app)


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _below(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield prefix + name, command


def markdown(name: str) -> str:
    """What the command does, its usage, and a table of its arguments and one of its options."""
    command = commands()[name]
    shown = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    options = [each for each in shown if each.param_type_name == "option"]
    usage = " ".join(["cyano", name, "[OPTIONS]", *map(_argument_name, arguments)])
    parts = [f"```text\n{usage}\n```", *_prose(command.help or "")]
    if arguments:
        parts.append(_table(("Argument", "Meaning"), [(_code(_argument_name(a)), _help(a)) for a in arguments]))
    rows = [(_names(each), _takes(each), _default(each), _help(each)) for each in options]
    parts.append(_table(("Option", "Takes", "Default", "Meaning"), rows))
    return "\n\n".join(parts)


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; examples, which begin with a backspace, as blocks of code."""
    for paragraph in text.replace("\\[", "[").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield "```text\n" + paragraph.removeprefix("\b\n") + "\n```"
        else:
            yield " ".join(paragraph.split())


def _names(option: Any) -> str:
    short_first = sorted(dict.fromkeys([*option.opts, *option.secondary_opts]), key=lambda each: each.startswith("--"))
    return ", ".join(map(_code, short_first))


def _takes(option: Any) -> str:
    if option.is_flag:
        return ""
    value = _value(option, typer.Context(_program()))
    return " or ".join(_code(each) for each in value.split("|"))


def _default(option: Any) -> str:
    if option.required:
        return "required"
    shown = option.show_default
    if isinstance(shown, str):
        return shown
    if option.default is None or callable(option.default):
        return ""
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return _code(getattr(option.default, "value", option.default))


def _help(parameter: Any) -> str:
    return " ".join((getattr(parameter, "help", None) or "").replace("\\[", "[").split())


def _code(text: object) -> str:
    return f"`{text}`"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(re.sub(r"\|", r"\\|", cell) for cell in row) + " |" for row in lines)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    sphinx.add_directive("command", CommandDirective)
    return {"parallel_read_safe": True}
