"""Every graph against the networks, in every engine that is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.export.engines import Arrays, EngineName, loaded
from cyano.export.parity import (
    SAME_PX,
    SIZES,
    Agreement,
    compare_keypoints,
    compare_matches,
    pictures,
    verdict,
)
from cyano.export.reference import Reference, matcher_inputs
from cyano.types import ImageSize

__all__ = ["DETECTED", "JOINED", "MATCHED", "check_detector", "check_matcher", "check_pair", "compare_pair"]

DETECTED = ("keypoints", "scores", "descriptors", "valid")
MATCHED = ("matches0", "matches1", "matching_scores0", "matching_scores1")
JOINED = ("keypoints0", "valid0", "keypoints1", "valid1", *MATCHED)
ABSENT = -2
FEW = ((1, 5), (127, 2))
"""Numbers of keypoints that a matcher has to bear as well."""


def check_detector(
    content: bytes, engine: EngineName, reference: Reference, size: ImageSize | None, *, mask: bool = False
) -> Agreement:
    """Compare a detector's graph with the network.

    Args:
        content: of the file.
        engine: to run it with.
        reference: the network.
        size: the only one that the graph takes; None for any.
        mask: whether the graph takes one.

    Raises:
        OutputError: they differ.
    """
    run, agreement = loaded(content, engine, DETECTED), Agreement()
    for seed, each in enumerate(_sizes(size)):
        grey = pictures(each, seed)[0]
        inputs: dict[str, NDArray[np.generic]] = {"image": grey[None, None]}
        seen = None
        if mask:
            seen = np.ones((each.height, each.width), np.bool_)
            seen[: each.height // 5] = seen[:, -(each.width // 7) :] = False
            inputs["mask"] = seen[None, None]
        found = run(inputs)
        valid = found["valid"].astype(bool)
        kept = tuple(found[name][valid].astype(np.float32) for name in DETECTED[:3])
        compare_keypoints(agreement, reference.detect(grey, seen), kept)
    verdict("detector", engine, agreement)
    return agreement


def check_matcher(
    content: bytes, engine: EngineName, reference: Reference, threshold: float, count: int | None
) -> Agreement:
    """Compare a matcher's graph with the network, on features of the network; see `check_detector`.

    Args:
        content: of the file.
        engine: to run it with.
        reference: the network.
        threshold: that the graph applies.
        count: the only number of keypoints that the graph takes; None for any.
    """
    run, agreement = loaded(content, engine, MATCHED), Agreement()
    for seed, size in enumerate(SIZES):
        views = pictures(size, seed)
        one, two = (reference.detect(view) for view in views)
        most = (count or len(one[0]) + 3, count or len(two[0]))
        for counts in [most] if count or seed else [most, *FEW]:
            inputs = matcher_inputs((one, two), (views[0].shape, views[1].shape), counts)
            compare_matches(agreement, reference.match(inputs, threshold), run(inputs))
    verdict("matcher", engine, agreement)
    return agreement


def check_pair(
    content: bytes, engine: EngineName, reference: Reference, threshold: float, size: ImageSize | None
) -> Agreement:
    """Compare the graph of a pair with both networks, on pictures of two sizes; see `check_detector`."""
    run, agreement = loaded(content, engine, JOINED), Agreement()
    sizes = _sizes(size)
    for seed, (one, two) in enumerate(zip(sizes, [*sizes[1:], sizes[0]], strict=True)):
        views = pictures(ImageSize(max(one.height, two.height), max(one.width, two.width)), seed)
        greys = [view[: each.height, : each.width].copy() for view, each in zip(views, (one, two), strict=True)]
        found = run({f"image{side}": grey[None, None] for side, grey in zip("01", greys, strict=True)})
        compare_pair(agreement, reference, (greys[0], greys[1]), found, threshold)
    verdict("pair", engine, agreement)
    return agreement


def _sizes(size: ImageSize | None) -> list[ImageSize]:
    return list(SIZES) if size is None else [size] * 2


def compare_pair(
    agreement: Agreement,
    reference: Reference,
    greys: tuple[NDArray[np.float32], NDArray[np.float32]],
    found: Arrays,
    threshold: float,
) -> None:
    """Add a pair, whose keypoints the graph has in another order than the network."""
    one, two = (reference.detect(grey) for grey in greys)
    inputs = matcher_inputs((one, two), (greys[0].shape, greys[1].shape), (len(one[0]), len(two[0])))
    expected = reference.match(inputs, threshold)
    place0, place1 = (_places(side[0], found, name) for side, name in ((one, "0"), (two, "1")))
    matches = expected["matches0"][0]
    there = np.where(matches < 0, -1, place1[matches])
    answered = np.where(place0 < 0, ABSENT, found["matches0"][0][place0])
    compare_matches(
        agreement,
        {"matches0": there, "matching_scores0": expected["matching_scores0"][0]},
        {"matches0": answered.astype(np.int64), "matching_scores0": found["matching_scores0"][0][place0]},
    )


def _places(keypoints: NDArray[np.float32], found: Arrays, side: str) -> NDArray[np.intp]:
    """(N,) where the graph has each keypoint of the network among its own, `ABSENT` where it has none."""
    apart = np.linalg.norm(keypoints[:, None] - found[f"keypoints{side}"].astype(np.float32)[None], axis=2)
    apart[:, ~found[f"valid{side}"].astype(bool)] = np.inf
    return np.where(apart.min(1) <= SAME_PX, apart.argmin(1), ABSENT)
