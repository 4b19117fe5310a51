"""One description of how a collection's pairs are selected, and the one function that selects them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.pairs.checks import check_count, check_range, some
from cyano.pairs.exhaustive import exhaustive
from cyano.pairs.gps import read_gps
from cyano.pairs.listfile import Pair
from cyano.pairs.namelist import read_name_pairs
from cyano.pairs.order import natural_order
from cyano.pairs.positions import read_poses
from cyano.pairs.retrieval import retrieval
from cyano.pairs.sequential import sequential
from cyano.pairs.spatial import spatial

__all__ = ["METHOD_OPTIONS", "Describe", "PairMethod", "PairOptions", "Selection", "choose_pairs"]

PairMethod: TypeAlias = Literal["exhaustive", "sequential", "retrieval", "spatial", "list"]

Describe: TypeAlias = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
"""Gives the (N, G) global descriptors of N images by their names, in that order."""

METHOD_OPTIONS: dict[PairMethod, frozenset[str]] = {
    "exhaustive": frozenset(),
    "sequential": frozenset({"window", "quadratic", "loop_every", "top_k", "min_score"}),
    "retrieval": frozenset({"top_k", "min_score"}),
    "spatial": frozenset({"top_k", "max_distance", "max_angle", "poses"}),
    "list": frozenset({"pair_list"}),
}
"""The fields of `PairOptions` that each method reads."""


@dataclass(frozen=True)
class PairOptions:
    """How the pairs of a collection are selected; each method reads some of the options.

    Attributes:
        method: exhaustive (every image with every other), sequential (with the next ones in the natural order
            of the names), retrieval (with those that look alike), spatial (with those taken nearby) or list.
        window: sequential: how many of the following images.
        quadratic: sequential: also the images 1, 2, 4, ... 2^(window - 1) on.
        loop_every: sequential: one image out of so many is also paired with the `top_k` that look most like it
            further away than the window; 0 for no loop closure.
        top_k: how many images an image is paired with by retrieval, loop closure or distance.
        min_score: retrieval and loop closure: least cosine of global descriptors; None for no limit.
        max_distance: spatial: in metres, or the unit of the poses; None for no limit.
        max_angle: spatial, with COLMAP's poses: largest angle between two views in degrees; None for no limit.
        poses: spatial: images.txt of COLMAP or lines of `name x y z`; None for the GPS position in EXIF.
        pair_list: list: the file, `name0 name1` a line.

    Example:
        >>> options = PairOptions("sequential", window=5, loop_every=10)
        >>> options.needs_descriptors, options.used()["window"]
        (True, 5)
    """

    method: PairMethod = "exhaustive"
    window: int = 10
    quadratic: bool = False
    loop_every: int = 0
    top_k: int = 20
    min_score: float | None = None
    max_distance: float | None = None
    max_angle: float | None = None
    poses: Path | None = None
    pair_list: Path | None = None

    def __post_init__(self) -> None:
        if self.method not in METHOD_OPTIONS:
            raise InputError(f"pairs are selected by {', '.join(get_args(PairMethod))}, not {self.method!r}")
        check_count("window", self.window, 1)
        check_count("loop_every", self.loop_every, 0)
        check_count("top_k", self.top_k, 1)
        check_range("min_score", self.min_score, -1, 1)
        check_range("max_distance", self.max_distance, 0, float("inf"))
        check_range("max_angle", self.max_angle, 0, 180, " degrees")
        if self.method == "list" and self.pair_list is None:
            raise InputError("pairs from a list need the file; give pair_list")
        if self.method == "spatial" and self.max_angle is not None and self.poses is None:
            raise InputError("max_angle needs viewing directions: give poses from COLMAP's images.txt")

    @property
    def needs_descriptors(self) -> bool:
        """Whether the selection asks for global descriptors."""
        return self.method == "retrieval" or (self.method == "sequential" and self.loop_every > 0)

    def used(self) -> dict[str, Any]:
        """The method and the options that it reads, by name: what the selection depends on."""
        wanted = {"method"} | METHOD_OPTIONS[self.method]
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name in wanted}


@dataclass(frozen=True, eq=False)
class Selection:
    """The selected pairs, and what the user should know of them.

    Attributes:
        pairs: each once, in an order that depends on nothing but the names (and that of a list on the list).
        notes: one sentence for each thing that was left out.

    Example:
        >>> selection = choose_pairs(PairOptions("exhaustive"), ["a.jpg", "b.jpg"])
        >>> selection.pairs[0].name1, selection.notes
        ('b.jpg', [])
    """

    pairs: list[Pair]
    notes: list[str]


def choose_pairs(
    options: PairOptions,
    names: Sequence[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    describe: Describe | None = None,
) -> Selection:
    """Select the pairs of a collection.

    Args:
        options: how.
        names: of the images, each once, in any order: they are put into their natural order.
        folder: that the names are relative to; only for spatial pairs from EXIF.
        describe: gives global descriptors; called at most once, and only if `options.needs_descriptors`.

    Raises:
        InputError: a name occurs twice, a file cannot be used, no image has a position, or what the method
            needs was not given.

    Example:
        >>> names = ["img1.jpg", "img10.jpg", "img2.jpg"]
        >>> found = choose_pairs(PairOptions("sequential", window=1), names)
        >>> [(pair.name0, pair.name1) for pair in found.pairs]
        [('img1.jpg', 'img2.jpg'), ('img2.jpg', 'img10.jpg')]
    """
    ordered = natural_order(names)
    if options.method == "list" and options.pair_list is not None:
        listed = read_name_pairs(options.pair_list, ordered)
        return Selection(listed.pairs, listed.notes())
    if options.method == "spatial":
        return _nearby(options, ordered, folder)
    if options.method == "exhaustive":
        return Selection(exhaustive(ordered), [])
    loop: list[Pair] = []
    if options.needs_descriptors:
        if describe is None:
            raise InputError(f"{options.method} pairs need global descriptors; give describe")
        closing = options.method == "sequential"
        every, within = (options.loop_every, options.window) if closing else (1, 0)
        found = describe(ordered)
        loop = retrieval(found, ordered, options.top_k, min_score=options.min_score, every=every, exclude_within=within)
    if options.method == "retrieval":
        return Selection(loop, [])
    return Selection(sequential(ordered, options.window, quadratic=options.quadratic, loop=loop), [])


def _nearby(options: PairOptions, names: Sequence[str], folder: str | os.PathLike[str] | None) -> Selection:
    """Spatial pairs of the images whose position is known."""
    if options.poses is not None:
        found, source = read_poses(options.poses, names), str(options.poses)
    elif folder is not None:
        found, source = read_gps(folder, names), "EXIF"
    else:
        raise InputError("spatial pairs need positions; give the folder of the images, or poses")
    if names and not found.names:
        raise InputError(
            f"none of the {len(names)} images has a position in {source}; give others (--poses), or select pairs "
            "another way (--pairs)"
        )
    if options.max_angle is not None and found.directions is None:
        raise InputError(f"{source} has no viewing directions; give COLMAP's images.txt, or no max_angle")
    pairs = spatial(
        found.positions,
        found.names,
        max_distance=options.max_distance,
        top_k=options.top_k,
        directions=None if options.max_angle is None else found.directions,
        max_angle=options.max_angle,
    )
    missing = f"{len(found.missing)} of {len(names)} images have no position in {source} and are in no pair"
    return Selection(pairs, [f"{missing}: {some(found.missing)}"] if found.missing else [])
