"""Local descriptors of a collection, and a bounded sample of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.retrieval.options import VladOptions

__all__ = ["LocalDescriptors", "local_rows", "sample_descriptors"]

LocalDescriptors: TypeAlias = Callable[[str], NDArray[np.floating[Any]]]
"""Gives the (N, D) local descriptors of the image of a name, any float type; N may be 0."""

_DEFAULTS = VladOptions()


def local_rows(local: LocalDescriptors, name: str, width: int | None) -> NDArray[np.float32]:
    """(N, D) float32 descriptors of one image.

    Raises:
        InputError: they are no such array, not finite, or not of `width` columns.
    """
    rows = np.asarray(local(name), dtype=np.float32)
    if rows.ndim != 2 or (width is not None and rows.shape[1] != width):
        wanted = f"(N, {width or 'D'})"
        raise InputError(f"local descriptors of {name!r} are {rows.shape}, not {wanted}; extract all images alike")
    if not np.isfinite(rows).all():
        raise InputError(f"local descriptors of {name!r} hold values that are not finite; extract them again")
    return rows


def sample_descriptors(
    local: LocalDescriptors, names: Sequence[str], options: VladOptions = _DEFAULTS
) -> NDArray[np.float32]:
    """Some local descriptors of a collection: equally many of each image, and of some images if there are many.

    The result depends on the set of names, not on their order.

    Args:
        local: gives the descriptors of an image; called once for each chosen image.
        names: of the images.
        options: `sample`, `images` and `seed` count here.

    Returns:
        (S, D) float32, S at most `options.sample`; (0, 0) without images.

    Raises:
        InputError: descriptors of two images do not have the same width, or are not finite.

    Example:
        >>> rows = np.eye(50, 16, dtype=np.float32)
        >>> options = VladOptions(clusters=8, sample=60, images=60)
        >>> sample_descriptors(lambda name: rows, ["a.jpg", "b.jpg"], options).shape
        (60, 16)
    """
    generator = np.random.default_rng(options.seed)
    chosen = sorted(names)
    if len(chosen) > options.images:
        places = generator.choice(len(chosen), options.images, replace=False)
        chosen = [chosen[place] for place in sorted(places.tolist())]
    quota = options.sample // max(len(chosen), 1)
    parts: list[NDArray[np.float32]] = []
    for name in chosen:
        rows = local_rows(local, name, parts[0].shape[1] if parts else None)
        if len(rows) > quota:
            rows = rows[np.sort(generator.choice(len(rows), quota, replace=False))]
        parts.append(rows)
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
