"""Dataclasses from tables of JSON and TOML, checked key by key and value by value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cyano.errors import InputError

__all__ = ["current_names", "record_from"]

T = TypeVar("T")


def record_from(kind: type[T], data: object, where: str) -> T:
    """A dataclass from a table; every key has to be a field, every value of the field's type.

    Args:
        kind: the dataclass, whose fields are plain values, tuples, literals, or such dataclasses themselves.
        data: the table, from JSON or TOML.
        where: it comes from, for the message.

    Raises:
        InputError: it is not such a table; the message names the nearest known key to an unknown one.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where} should be a table")
    data = current_names(kind, data)
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise InputError(f"{where} has an unknown key {key!r}{hint}")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise InputError(f"{where} is incomplete: {str(error).split(') ')[-1]}") from error


def current_names(kind: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """A table with the names that its keys have today.

    Args:
        kind: the dataclass, in which a field that was renamed says so: `field(metadata={"was": "its_old_name"})`.
        data: the table; a key that is there under both names keeps both, and the old one is unknown.
    """
    today = {field.metadata["was"]: field.name for field in fields(kind) if "was" in field.metadata}
    return {today[key] if key in today and today[key] not in data else key: value for key, value in data.items()}


def _value(hint: Any, value: Any, where: str) -> Any:
    """A plain value as a field's type."""
    if isinstance(hint, UnionType) or get_origin(hint) is Union:  # what may be left out; of a literal it is the latter
        if value is None and NoneType in get_args(hint):
            return None
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise InputError(f"{where} is one of {', '.join(map(repr, get_args(hint)))}, not {value!r}")
        return value
    if is_dataclass(hint):
        return record_from(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where} should be a list")
        kinds = get_args(hint)
        inner = [kinds[0]] * len(value) if kinds[-1] is Ellipsis else list(kinds)
        if len(inner) != len(value):
            raise InputError(f"{where} takes {len(inner)} values")
        return tuple(
            _value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(inner, value, strict=True))
        )
    if get_origin(hint) in (dict, list):
        hint = get_origin(hint)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise InputError(f"{where} should be a finite number, not {value}")
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{where} should be {hint.__name__}, not {value!r}")
    return value
