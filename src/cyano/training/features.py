"""Features of training pairs: a fixed number of keypoints an image, so that nothing is padded."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.models.fast import FastSuperPoint
from cyano.models.superglue import normalize_keypoints
from cyano.models.superpoint import SuperPoint
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoints import pick_keypoints
from cyano.processing.localisation import keypoint_maps
from cyano.training.state import weights_digest

__all__ = ["FeatureExtractor", "ImageFeatures"]

ImageFeatures = dict[str, Tensor]
"""keypoints (N, 2) pixels, positions (N, 2), scores (N,), descriptors (N, D)."""


class FeatureExtractor:
    """A frozen detector on a CPU."""

    def __init__(self, superpoint: SuperPoint, count: int, dtype: torch.dtype = torch.float32) -> None:
        """Prepare a detector.

        Args:
            superpoint: with trained weights.
            count: keypoints an image, always so many.
            dtype: of its convolutions.
        """
        self._config = superpoint.config
        self._superpoint = superpoint.eval()
        self._dtype = dtype
        self._fast: FastSuperPoint | None = None
        self.count = count

    @property
    def digest(self) -> str:
        """What tells this detector from others."""
        return weights_digest(self._superpoint)

    def __getstate__(self) -> dict[str, object]:
        # The prepared weights live in the CPU's own layout and do not travel to other processes.
        return {**self.__dict__, "_fast": None}

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.float32], rng: np.random.Generator) -> ImageFeatures:
        """Features of a grey image (H, W) in [0, 1].

        The strongest maxima come first; where there are too few, random places follow with what the detector gives
        them, as in the paper, so that the matcher also learns to refuse.
        """
        if self._fast is None:
            self._fast = FastSuperPoint(self._superpoint, self._dtype)
        images = torch.from_numpy(image)[None, None]
        dense = self._fast(images)
        maps = keypoint_maps(dense.scores, images, self._config)
        peaks = maps.scores[0]
        border = self._config.border_removal_distance
        keypoints, scores = pick_keypoints(peaks, 1e-6, self.count, border)
        missing = self.count - len(keypoints)
        keypoints = maps.refine(keypoints)
        if missing:
            height, width = peaks.shape
            random = rng.uniform((border, border), (width - 1 - border, height - 1 - border), (missing, 2))
            keypoints = torch.cat([keypoints, torch.from_numpy(random.astype(np.float32))])
            scores = torch.cat([scores, scores.new_full((missing,), 1e-6)])
        descriptors = sample_descriptors(dense.descriptors[0], keypoints).float()
        positions = normalize_keypoints(keypoints, *image.shape)
        return {"keypoints": keypoints, "positions": positions, "scores": scores, "descriptors": descriptors}
