"""What matching two images gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.correspondences import Correspondences, ImageKeypoints
from cyano.errors import InputError
from cyano.viz.fast import draw_matches_image
from cyano.viz.sizes import PICTURE_SIDE

__all__ = ["ImageKeypoints", "PairResult"]


@dataclass(frozen=True, eq=False, repr=False)
class PairResult(Correspondences):
    """The correspondences between two images.

    `keypoints0[k]` and `keypoints1[k]` show the same point of the scene with probability `scores[k]`. Files and names
    are those of `cyano.PairResult`; geometry is for a program's own estimator, such as `cv2.findHomography`.

    Attributes:
        image0: all keypoints of image 0.
        image1: all keypoints of image 1, the matched ones where they look like their partners.
        matches: the assignment, from both sides.
    """

    def draw_image(self, *, longest_side: int | None = PICTURE_SIDE) -> NDArray[np.uint8]:
        """Both images with their matches, coloured by score, as (H, W, 3) uint8 RGB.

        Args:
            longest_side: pixels of its longer side; None leaves the images as they are.

        Raises:
            InputError: the images are not at hand.
        """
        rgb0, rgb1 = self.image0.rgb, self.image1.rgb
        if rgb0 is None or rgb1 is None:
            raise InputError("matches of features come without images to draw on; use `Matcher.match`")
        return draw_matches_image(
            rgb0, rgb1, self.keypoints0, self.keypoints1, scores=self.scores, longest_side=longest_side
        )
