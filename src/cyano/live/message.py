"""What is told of a frame: a header, JPEG pictures, and the matches in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.tracking import FrameResult

__all__ = ["described", "jpeg"]

_SIDE = 960
"""Longest side of the pictures that are sent."""

_QUALITY = 80


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """An (H, W, 3) picture as JPEG, at most 960 pixels long."""
    scale = _SIDE / max(rgb.shape[:2])
    if scale < 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    good, content = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return content.tobytes() if good else b""


def described(seen: FrameResult, state: Mapping[str, Any], keypoints: bool) -> tuple[dict[str, Any], bytes]:
    """A frame in plain values and in numbers.

    The numbers are little-endian float32: x0 y0 x1 y1 score of each match, and x y of all keypoints of the anchor and
    of the frame, where they are wanted. Positions are in pixels of the images' own `sizes`.

    Args:
        seen: the frame.
        state: of the session, which the header has as well.
        keypoints: whether unmatched keypoints are wanted.
    """
    pair = seen.result
    rows = np.column_stack([pair.keypoints0, pair.keypoints1, pair.scores]).astype("<f4")
    sides = (pair.image0, pair.image1)
    points = [side.keypoints.astype("<f4") for side in sides] if keypoints else []
    header = {
        **state,
        "frame": seen.frame.index,
        "time": seen.frame.time,
        "name": seen.frame.name,
        "anchor": seen.anchor_index,
        "status": seen.status,
        "matches": len(rows),
        "keypoints": [len(side.keypoints) for side in sides],
        "points": [len(each) for each in points],
        "sizes": [[side.size.width, side.size.height] for side in sides],
        "seconds": {name: round(value, 4) for name, value in seen.seconds.items()},
    }
    return header, b"".join([rows.tobytes(), *(each.tobytes() for each in points)])
