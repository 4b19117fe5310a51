"""Checks that the ways to select pairs share."""

from __future__ import annotations

from collections.abc import Sequence

from cyano.errors import InputError

__all__ = ["check_count", "check_range", "places_of", "some"]

_SHOWN = 3
"""How many of a long list a message shows."""


def places_of(names: Sequence[str]) -> dict[str, int]:
    """The position of each name.

    Raises:
        InputError: a name occurs twice.
    """
    places: dict[str, int] = {}
    for position, name in enumerate(names):
        earlier = places.setdefault(name, position)
        if earlier != position:
            raise InputError(
                f"{name!r} occurs twice among the images (positions {earlier} and {position}, "
                "counted from 0); give each image once"
            )
    return places


def check_count(what: str, value: int, least: int) -> None:
    """Raise `InputError` unless a whole number is large enough."""
    if value != int(value) or value < least:
        raise InputError(f"{what} is a whole number of at least {least}, not {value}")


def check_range(what: str, value: float | None, low: float, high: float, unit: str = "") -> None:
    """Raise `InputError` unless a number, if there is one, lies in [low, high]."""
    if value is not None and not low <= value <= high:
        raise InputError(f"{what} is a number from {low:g} to {high:g}{unit}, not {value}")


def some(things: Sequence[object]) -> str:
    """The first few of a list, and how many more there are."""
    shown = ", ".join(str(thing) for thing in things[:_SHOWN])
    return shown if len(things) <= _SHOWN else f"{shown} and {len(things) - _SHOWN} more"
