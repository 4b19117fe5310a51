"""The matches of a pair and their files: what every result has, whatever found it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import archive_bytes, write_atomically
from cyano.concise import Concise, json_text
from cyano.types import ImageSize, Matches, ResizeMap

__all__ = ["Correspondences", "ImageKeypoints"]


@dataclass(frozen=True, eq=False, repr=False)
class ImageKeypoints(Concise):
    """One image of a pair, and where its keypoints are.

    Attributes:
        keypoints: (N, 2) float32 (x, y) in pixels of the original image.
        scores: (N,) float32, the detector's confidence.
        frame: how the original became the image that the networks saw.
        name: the path, or "image".
        rgb: (H, W, 3) uint8 original image; None where the features came without one.
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    frame: ResizeMap
    name: str = "image"
    rgb: NDArray[np.uint8] | None = None

    @property
    def size(self) -> ImageSize:
        """Size of the original image."""
        return self.frame.original


@dataclass(frozen=True, eq=False, repr=False)
class Correspondences:
    """The correspondences between two images.

    `keypoints0[k]` and `keypoints1[k]` show the same point of the scene with probability `scores[k]`.

    Attributes:
        image0: all keypoints of image 0.
        image1: all keypoints of image 1.
        matches: the assignment, from both sides.
    """

    image0: ImageKeypoints
    image1: ImageKeypoints
    matches: Matches

    def __len__(self) -> int:
        """K, the number of matches."""
        return len(self.indices)

    def __repr__(self) -> str:
        counts = f"{len(self.image0.keypoints)} and {len(self.image1.keypoints)} keypoints"
        return f"{type(self).__name__}({len(self)} matches of {counts})"

    @property
    def indices(self) -> NDArray[np.int64]:
        """(K, 2) int64 rows (index in image 0, index in image 1), in image 0's order."""
        matched = np.flatnonzero(self.matches.matches0 >= 0)
        return np.stack([matched, self.matches.matches0[matched]], axis=1)

    @property
    def keypoints0(self) -> NDArray[np.float32]:
        """(K, 2) float32 matched positions (x, y) in pixels of the original image 0."""
        return self.image0.keypoints[self.indices[:, 0]]

    @property
    def keypoints1(self) -> NDArray[np.float32]:
        """(K, 2) float32 matched positions (x, y) in pixels of the original image 1."""
        return self.image1.keypoints[self.indices[:, 1]]

    @property
    def scores(self) -> NDArray[np.float32]:
        """(K,) float32 probability of each match, in (0, 1]."""
        return self.matches.scores0[self.indices[:, 0]]

    def to_dict(self) -> dict[str, Any]:
        """The matches in plain Python values, as `save_json` writes them."""
        images = [
            {"name": each.name, "height": each.size.height, "width": each.size.width, "keypoints": len(each.keypoints)}
            for each in (self.image0, self.image1)
        ]
        return {
            "format": "cyano-matches-1",
            "images": images,
            "keypoints0": self.keypoints0.tolist(),
            "keypoints1": self.keypoints1.tolist(),
            "scores": self.scores.tolist(),
        }

    def save_json(self, path: str | Path) -> None:
        """Write the matches as JSON; positions are (x, y) in original pixels.

        Raises:
            OutputError: the file cannot be written.
        """
        write_atomically(Path(path), json_text(self.to_dict()).encode())

    def save_npz(self, path: str | Path) -> None:
        """Write `npz_bytes`.

        Raises:
            OutputError: the file cannot be written.
        """
        write_atomically(Path(path), self.npz_bytes())

    def npz_bytes(self) -> bytes:
        """All keypoints and the assignment as a compressed numpy archive.

        Keys: `keypoints0` (M, 2) and `keypoints1` (N, 2) float32 in original pixels, `keypoint_scores0`,
        `keypoint_scores1`, `matches0`, `matches1` int64 with -1 for none, `matching_scores0`,
        `matching_scores1` float32, `image_size0`, `image_size1` (height, width).
        """
        return archive_bytes(
            keypoints0=self.image0.keypoints,
            keypoints1=self.image1.keypoints,
            keypoint_scores0=self.image0.scores,
            keypoint_scores1=self.image1.scores,
            matches0=self.matches.matches0,
            matches1=self.matches.matches1,
            matching_scores0=self.matches.scores0,
            matching_scores1=self.matches.scores1,
            image_size0=np.array([self.image0.size.height, self.image0.size.width]),
            image_size1=np.array([self.image1.size.height, self.image1.size.width]),
        )
