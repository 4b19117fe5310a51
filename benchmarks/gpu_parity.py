"""Whether a device finds what a CPU finds, in each precision, and in batches what it finds in single images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cyano import Matcher, MatcherOptions, PairResult
from cyano.checkpoints import load
from cyano.checkpoints.loading import Networks

SAME_PX = 0.5
"""Keypoints that lie so near to each other, in pixels of the image, are the same one."""


def rows(
    networks: Networks, device: torch.device, left: NDArray[np.uint8], right: NDArray[np.uint8]
) -> Iterator[dict[str, Any]]:
    """One row a precision, then one for batches.

    Args:
        networks: the weights in the wheel, as they are to run.
        device: where they are to run.
        left: (H, W) of a pair.
        right: likewise.
    """
    reference = Matcher(load(), MatcherOptions(align=False), device="cpu").match(left, right)
    for name, tf32 in (("float32", False), ("float32", True), ("mixed", True), ("bfloat16", True), ("float16", True)):
        with allowed_tf32(tf32):
            result = matcher(networks, name, device).match(left, right)
        label = name if device.type == "cpu" or name != "float32" else f"{name}, TF32 {'on' if tf32 else 'off'}"
        if device.type == "cpu" and name == "float32" and not tf32:
            continue  # a CPU has no TF32: once is enough
        yield {"what": label, **compared(result, reference)}
    yield {"what": "batches of 8 images, float32", **in_batches(networks, device, left, right)}


def matcher(networks: Networks, precision: str, device: torch.device, batch_size: int = 8) -> Matcher:
    """A matcher without alignment; float16 is no option of it, so it is put into one of bfloat16."""
    option = "bfloat16" if precision == "float16" else precision
    made = Matcher(networks, MatcherOptions(align=False, precision=option), device=device, batch_size=batch_size)
    if precision == "float16":
        made._matcher_dtype = made._detector._dtype = torch.float16
    return made


@contextmanager
def allowed_tf32(allowed: bool) -> Iterator[None]:
    """TF32 for convolutions and products, or neither."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def found_again(points: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M, 2), (N, 2) -> (M,): for each of the points the nearest of the others, -1 where none is the same one."""
    if not len(others):
        return np.full(len(points), -1)
    distances = np.linalg.norm(points[:, None] - others[None], axis=2)
    return np.where(distances.min(axis=1) <= SAME_PX, distances.argmin(axis=1), -1)


def compared(result: PairResult, reference: PairResult) -> dict[str, float]:
    """Shares of the reference's keypoints and matches that a result has as well, and how far the scores differ."""
    to0 = found_again(reference.image0.keypoints, result.image0.keypoints)
    to1 = found_again(reference.image1.keypoints, result.image1.keypoints)
    expected, seen = reference.matches, result.matches
    matched = np.flatnonzero(expected.matches0 >= 0)
    wanted, place = to1[expected.matches0[matched]], to0[matched]
    same = (wanted >= 0) & (place >= 0)
    same[same] = seen.matches0[place[same]] == wanted[same]
    differences = np.abs(seen.scores0[place[same]] - expected.scores0[matched[same]])
    return {
        "matches_cpu": len(matched),
        "matches": seen.count,
        "keypoints_again": round(float((np.concatenate([to0, to1]) >= 0).mean()), 5),
        "matches_same": round(float(same.mean()) if len(same) else 1.0, 5),
        "largest_score_difference": round(float(differences.max(initial=0)), 6),
    }


def in_batches(
    networks: Networks, device: torch.device, left: NDArray[np.uint8], right: NDArray[np.uint8]
) -> dict[str, float]:
    """Images in one batch against the same ones alone."""
    single, several = (matcher(networks, "float32", device, size) for size in (1, 8))
    several._detector._batch_size = 8  # a CPU would take them one by one
    images = [left, right] * 4
    alone, together = single.extract(images[:2]), several.extract(images)
    again = [
        found_again(alone[i % 2].keypoints.cpu().numpy(), each.keypoints.cpu().numpy()) >= 0
        for i, each in enumerate(together)
    ]
    return {"keypoints_again": round(float(np.concatenate(again).mean()), 5)}
