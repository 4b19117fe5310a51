"""What a page gets of a frame: a header, two JPEG pictures, and the matches in numbers."""

from __future__ import annotations

import json
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.tracking import FrameResult

__all__ = ["jpeg", "message"]

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


def message(seen: FrameResult, anchor: bytes, picture: bytes, state: dict[str, Any], keypoints: bool) -> bytes:
    """A frame in bytes.

    A little-endian uint32 says how long the header is, which is JSON and says how long what follows is: the anchor's
    JPEG, the frame's, then float32 numbers: x0 y0 x1 y1 score of each match, and x y of all keypoints of the anchor
    and of the frame, where they are wanted. Positions are in pixels of the images' own `sizes`.

    Args:
        seen: the frame.
        anchor: its anchor's JPEG, empty where the page has it.
        picture: its own JPEG.
        state: of the session, for the header.
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
        "jpeg": [len(anchor), len(picture)],
        "seconds": {name: round(value, 4) for name, value in seen.seconds.items()},
    }
    head = json.dumps(header, allow_nan=False).encode("ascii")
    head += b" " * (-len(head) % 4)
    return b"".join(
        [struct.pack("<I", len(head)), head, anchor, picture, rows.tobytes(), *(p.tobytes() for p in points)]
    )
