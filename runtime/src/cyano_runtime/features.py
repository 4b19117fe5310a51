"""What the detector found in one image, as numpy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import archive_bytes, write_atomically
from cyano.concise import Concise
from cyano.types import ResizeMap

__all__ = ["Features"]


@dataclass(frozen=True, eq=False, repr=False)
class Features(Concise):
    """The keypoints of one image with their descriptors.

        features = Matcher().extract("a.jpg")
        print(features.keypoints[:5], features.descriptors.shape)

    Attributes:
        keypoints: (N, 2) float32 (x, y) in pixels of the original image, the centre of the first one (0, 0).
        scores: (N,) float32, the detector's confidence.
        descriptors: (N, D) float32 rows of unit length.
        frame: how the original image became the one that the detector saw.
        image: (H, W) float16 in [0, 1], what the detector saw, by which matches are aligned; None where it was not
            kept.
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    frame: ResizeMap
    image: NDArray[np.float16] | None = None

    def __len__(self) -> int:
        """N, the number of keypoints."""
        return len(self.keypoints)

    @property
    def network_keypoints(self) -> NDArray[np.float32]:
        """(N, 2) float32 positions in pixels of the image that the detector saw."""
        return self.frame.to_network(self.keypoints)

    def save_npz(self, path: str | Path) -> None:
        """Write a compressed numpy archive.

        Keys: `keypoints` (N, 2) in original pixels, `scores` (N,), `descriptors` (N, D), float32, and `image_size`
        (height, width) of the original image.

        Raises:
            OutputError: the file cannot be written.
        """
        size = np.array([self.frame.original.height, self.frame.original.width])
        content = archive_bytes(
            keypoints=self.keypoints, scores=self.scores, descriptors=self.descriptors, image_size=size
        )
        write_atomically(Path(path), content)
