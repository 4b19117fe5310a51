"""Points that the detector did not find again in a frame: looked for where those around them are.

The matcher says which keypoints of two pictures belong together; a point that is no keypoint of the second picture has
no match, though the picture may show it as well as any. Its place there is guessed from where it was last and how its
neighbours have moved since, and found by laying its surroundings in the keyframe over the frame, as matches are
aligned (`cyano.processing.alignment`). Only where that is certain does the track go on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cyano.processing.alignment import align
from cyano.result import PairResult
from cyano.types import Features, Matches

__all__ = ["Continued", "continued"]

_NEIGHBOURS = 5
"""Of the nearest matches so many say how a point has moved; the median of them counts."""

_FEWEST = 30
"""Fewer matches say too little of it."""

_SAME_PX = 1.5
"""A keypoint of the frame that is so near is the point itself, and two points that are so near are one."""

_WEIGHT = 1e-3
"""Of guesses among the matches by which patches are sheared."""


class Continued(NamedTuple):
    """A frame with the points that are followed into it.

    Attributes:
        features: of the frame, with further keypoints at the end, described as the anchor's are.
        result: the matches, with theirs.
        guesses: (U, 2) where the points that were looked for should be in the frame; NaN where nothing tells.
    """

    features: Features
    result: PairResult
    guesses: NDArray[np.float32]


def continued(
    anchor: Features,
    features: Features,
    result: PairResult,
    wanted: NDArray[np.int64],
    last: NDArray[np.float32],
    score: float,
) -> Continued:
    """Look for points of the anchor in a frame whose detector did not find them.

    Args:
        anchor: features of the anchor.
        features: of the frame.
        result: their matches, aligned.
        wanted: (U,) rows of the anchor's keypoints to look for, none of which is matched.
        last: (M, 2) where each of the anchor's keypoints was, or was guessed to be, in the frame before; NaN for
            unknown.
        score: of the matches that are added.
    """
    guesses = np.full((len(wanted), 2), np.nan, np.float32)
    if not len(wanted):
        return Continued(features, result, guesses)
    guesses = _guesses(anchor, result, wanted, last)
    known = np.isfinite(guesses).all(axis=1)
    rows, places = _found(anchor, features, result, wanted[known], guesses[known])
    return Continued(*_joined(anchor, features, result, rows, places, score), guesses)


def _guesses(
    anchor: Features, result: PairResult, wanted: NDArray[np.int64], last: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(U, 2) where the points should be in the frame, NaN where nothing tells."""
    rows = result.indices[:, 0]
    known = np.isfinite(last[rows]).all(axis=1)
    if known.sum() < _FEWEST:
        return np.full((len(wanted), 2), np.nan, np.float32)
    rows, now = rows[known], result.keypoints1[known]
    keypoints = anchor.keypoints.cpu().numpy()
    distances = np.linalg.norm(keypoints[wanted][:, None] - keypoints[rows], axis=2)
    near = np.argpartition(distances, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    moves = (now - last[rows])[near]  # (U, 5, 2)
    return np.asarray(last[wanted] + np.median(moves, axis=1), np.float32)


def _found(
    anchor: Features, features: Features, result: PairResult, wanted: NDArray[np.int64], guesses: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Those that are found for certain, and their (E, 2) places in the frame."""
    if not len(wanted) or anchor.image is None or features.image is None:
        return wanted[:0], guesses[:0]
    device = anchor.keypoints.device
    rows = np.concatenate([result.indices[:, 0], wanted])
    places = np.concatenate([result.keypoints1, guesses]).astype(np.float32)
    weights = np.concatenate([result.scores, np.full(len(wanted), _WEIGHT, np.float32)])
    chosen = torch.arange(len(result), len(rows), dtype=torch.int64, device=device)
    found = align(
        anchor.image.float(),
        features.image.float(),
        anchor.network_keypoints[torch.from_numpy(rows).to(device)],
        features.frame.to_network(torch.from_numpy(places).to(device)),
        torch.from_numpy(weights).to(device),
        chosen,
    )
    there = features.frame.to_original(found.points1).cpu().numpy()
    size = features.frame.original
    inside = ((there >= 0) & (there <= (size.width - 1, size.height - 1))).all(axis=1)
    kept = np.flatnonzero(found.moved.cpu().numpy() & inside)
    kept = kept[_apart(there[kept], result.keypoints1)]
    return wanted[kept], there[kept]


def _apart(places: NDArray[np.float32], taken: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(E,) which are not at the place of a match, nor of one before them."""
    if not len(places):
        return np.zeros(0, np.bool_)
    free = np.linalg.norm(places[:, None] - taken, axis=2).min(axis=1) > _SAME_PX
    near = np.linalg.norm(places[:, None] - places, axis=2) <= _SAME_PX
    return np.asarray(free & ~np.tril(near & free, -1).any(axis=1))


def _joined(
    anchor: Features,
    features: Features,
    result: PairResult,
    wanted: NDArray[np.int64],
    places: NDArray[np.float32],
    score: float,
) -> tuple[Features, PairResult]:
    """The points as keypoints of the frame: those that it has there and that are not matched, or new ones."""
    if not len(wanted):
        return features, result
    count, side = len(features), result.image1
    free = np.flatnonzero(result.matches.matches1 < 0)
    columns = np.full(len(wanted), -1, np.int64)
    if len(free):
        distances = np.linalg.norm(places[:, None] - side.keypoints[free], axis=2)
        nearest, least = distances.argmin(axis=1), distances.min(axis=1)
        is_nearest = distances.argmin(axis=0)[nearest] == np.arange(len(places))
        same = is_nearest & (least <= _SAME_PX)
        columns[same] = free[nearest[same]]
    fresh = np.flatnonzero(columns < 0)
    columns[fresh] = count + np.arange(len(fresh))
    keypoints = np.concatenate([side.keypoints, places[fresh]])
    keypoints[columns] = places
    matches = _with(result.matches, wanted, columns, len(fresh), score)
    rows = torch.from_numpy(wanted[fresh]).to(features.keypoints.device)
    grown = Features(
        torch.from_numpy(keypoints).to(features.keypoints.device),
        torch.cat([features.scores, anchor.scores[rows]]),
        torch.cat([features.descriptors, anchor.descriptors[rows]]),
        features.frame,
        None if features.extras is None or anchor.extras is None else torch.cat([features.extras, anchor.extras[rows]]),
        features.image,
    )
    scores = np.concatenate([side.scores, anchor.scores[rows].cpu().numpy()])
    return grown, replace(
        result, image1=replace(side, keypoints=keypoints, scores=scores), matches=matches, doubtful=None
    )


def _with(matches: Matches, rows: NDArray[np.int64], columns: NDArray[np.int64], more: int, score: float) -> Matches:
    """The matches and others, of keypoints of image 0 and image 1, which has so many more than before."""
    matches0, scores0 = matches.matches0.copy(), matches.scores0.copy()
    matches1 = np.concatenate([matches.matches1, np.full(more, -1, np.int64)])
    scores1 = np.concatenate([matches.scores1, np.zeros(more, np.float32)])
    matches0[rows], scores0[rows] = columns, score
    matches1[columns], scores1[columns] = rows, score
    return Matches(matches0, matches1, scores0, scores1)
