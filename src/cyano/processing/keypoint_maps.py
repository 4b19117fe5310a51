"""Where keypoints lie, by the rule that the weights come with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.models.precision import full_precision
from cyano.models.recording import is_recorded
from cyano.models.superpoint import SuperPointConfig
from cyano.models.transfers import upload
from cyano.processing.frames import MARGIN_PX, near_frame
from cyano.processing.keypoints import refine_keypoints, refine_summits, suppress_non_maxima
from cyano.processing.structure import response_and_scores

__all__ = ["KeypointMaps", "frame_margin", "keypoint_maps"]


class KeypointMaps(NamedTuple):
    """What keypoints are picked from.

    Attributes:
        scores: (B, H, W), after non-maximum suppression.
        probabilities: (B, H, W) of the detector.
        response: (B, H, W) of the picture's structure, None where only probabilities count.
    """

    scores: Tensor
    probabilities: Tensor
    response: Tensor | None

    @full_precision
    def refine(self, keypoints: Tensor, image: int = 0) -> Tensor:
        """Move (N, 2) keypoints of one of the images from whole pixels to where they are between them."""
        if self.response is None:
            return refine_keypoints(self.probabilities[image], keypoints)
        return refine_summits(self.response[image], keypoints)


def frame_margin(config: SuperPointConfig) -> int:
    """How near to a constant frame (`cyano.processing.frames`) there are no keypoints, in pixels; 0 for anywhere."""
    return MARGIN_PX if config.keypoint_localisation == "structure" else 0


@full_precision
def keypoint_maps(
    probabilities: Tensor,
    images: Tensor,
    config: SuperPointConfig,
    pixels: Sequence[NDArray[np.floating]] | None = None,
) -> KeypointMaps:
    """Maps to pick keypoints from.

    Args:
        probabilities: (B, H, W) of the detector; it drops a last strip of fewer than 8 rows or columns.
        images: (B, 1, H', W') that it saw, in [0, 1].
        config: says how to localise, and how near to each other keypoints may be.
        pixels: (H', W') of each image where a processor has them at hand; None fetches them from `images`.
    """
    if config.keypoint_localisation == "probability":
        return KeypointMaps(suppress_non_maxima(probabilities, config.nms_radius), probabilities, None)
    response, scores = response_and_scores(images, probabilities)
    # Frames are found by numpy, which is not recorded: keypoints near them stay.
    if not is_recorded():
        for each, seen in zip(scores, images[:, 0].float().cpu().numpy() if pixels is None else pixels, strict=True):
            frame = near_frame(seen, frame_margin(config))[: each.shape[0], : each.shape[1]]
            if frame.any():
                each.masked_fill_(upload(torch.from_numpy(frame), each.device), 0)
    return KeypointMaps(suppress_non_maxima(scores, config.nms_radius), probabilities, response)
