"""Where photographs were taken, as it is known beforehand: lists of positions."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry.checks import numbers_of
from cyano.reading import read_text

__all__ = ["PositionPrior", "read_priors"]

_REMEDY = "give a text file with lines NAME X Y Z, or NAME X Y Z SX SY SZ with standard deviations"


@dataclass(frozen=True)
class PositionPrior:
    """Where a photograph was taken, about.

    Attributes:
        position: x, y, z in the map's frame.
        deviations: standard deviations along x, y and z in the map's unit, by which the pose is held to the position;
            None only restricts which images of the map count.
        up: unit vector along which nothing is known, such as heights of GPS; None for none.

    Raises:
        InputError: a number is not finite, or a deviation not positive.

    Example:
        >>> prior = PositionPrior((431.2, 88.0, 12.5), deviations=(2.0, 2.0, 5.0), up=(0.0, 0.0, 1.0))
        >>> prior.distances(np.array([[431.2, 91.0, 99.0]])).tolist()  # whatever the height
        [3.0]
    """

    position: tuple[float, float, float]
    deviations: tuple[float, float, float] | None = None
    up: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("position", "deviations", "up"):
            given = getattr(self, name)
            if given is not None and not (
                numbers_of(given, f"the {name} of a prior").shape == (3,) and np.isfinite(given).all()
            ):
                raise InputError(f"the {name} of a prior is three finite numbers, not {given}")
        if self.deviations is not None and min(self.deviations) <= 0:
            raise InputError(f"standard deviations are positive, not {self.deviations}")

    def distances(self, centres: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) how far (N, 3) places are from the position, along what is known of it."""
        away = np.asarray(centres, np.float64) - self.position
        if self.up is not None:
            up = np.array(self.up)
            away = away - (away @ up)[:, None] * up
        return np.asarray(np.linalg.norm(away, axis=1))


def read_priors(path: str | os.PathLike[str]) -> dict[str, PositionPrior]:
    """Read a list of positions by name, with standard deviations or without; names may hold spaces.

    Empty lines and those that begin with `#` are passed over.

    Raises:
        InputError: it is no such file, or a name stands in it twice.
    """
    found: dict[str, PositionPrior] = {}
    for number, line in enumerate(read_text(path, remedy=_REMEDY).splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        words, where = text.split(), f"{os.fspath(path)}, line {number}"
        count = next((count for count in (6, 3) if len(words) > count and _are_numbers(words[-count:])), None)
        if count is None:
            raise InputError(f"{where}: not NAME X Y Z; {_REMEDY}")
        name = text.rsplit(None, count)[0]
        if name in found:
            raise InputError(f"{where}: {name!r} appears twice; remove one")
        x, y, z, *deviations = (float(word) for word in words[-count:])
        try:
            found[name] = PositionPrior(
                (x, y, z), (deviations[0], deviations[1], deviations[2]) if deviations else None
            )
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    return found


def _are_numbers(words: list[str]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False
