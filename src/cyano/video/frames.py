"""One picture of a movie, a camera or a folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise

__all__ = ["Frame"]


@dataclass(frozen=True, eq=False, repr=False)
class Frame(Concise):
    """One picture of a source.

    Attributes:
        index: its number in the source, from 0, whatever frames are taken: the file's i-th frame has the index i.
        rgb: (H, W, 3) uint8, as displayed: turned as the movie's or the photograph's metadata say.
        time: seconds since the source began, by the movie's own times or a camera's clock; None where nothing tells.
        name: of the frame: the name of its file, or that of the source.

    Example:
        >>> frame = Frame(0, np.zeros((480, 640, 3), np.uint8), time=0.0)
        >>> frame.index, frame.name
        (0, 'frame')
    """

    index: int
    rgb: NDArray[np.uint8]
    time: float | None = None
    name: str = "frame"
