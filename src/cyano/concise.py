"""How values look to people: arrays in a line, tables in a notebook, JSON that can be read."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

__all__ = ["Concise", "facts_html", "finite", "json_text"]

_SHOWN = 80
"""Characters of a plain value that are shown."""


class Concise:
    """A dataclass, declared with `repr=False`, whose arrays are printed as `float32 (1024, 2)`."""

    def __repr__(self) -> str:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={_short(value)}' for name, value in values)})"


def _short(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{str(dtype).removeprefix('torch.')} {tuple(shape)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def facts_html(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """A small table of names and values in HTML; line breaks and columns of the values are kept."""
    cell = '<td style="text-align: left; white-space: pre; font-family: monospace">'
    rows = (f"<tr><th>{html.escape(name)}</th>{cell}{html.escape(value)}</td></tr>" for name, value in facts)
    return f"<div>{html.escape(title)}</div><table>{''.join(rows)}</table>"


def finite(value: float) -> float | None:
    """The number, or None where JSON has none: infinite or NaN."""
    return value if math.isfinite(value) else None


def json_text(document: Any) -> str:
    """A document as JSON, an object's items a line each and lists of numbers in one line."""
    return _json(document, "") + "\n"


def _json(value: Any, indent: str) -> str:
    inner = indent + " "
    if isinstance(value, Mapping) and value:
        rows = [f"{inner}{json.dumps(str(name))}: {_json(each, inner)}" for name, each in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        return "[\n" + ",\n".join(inner + _json(each, inner) for each in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
