"""Features of training pairs: a fixed number of keypoints an image, so that nothing is padded."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.checkpoints.digest import weights_digest
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superglue import normalize_keypoints
from cyano.models.superpoint import SuperPoint
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import pick_keypoints
from cyano.processing.sift import SiftKeypoints, describe_places, detect_sift

__all__ = ["Extractor", "FeatureExtractor", "ImageFeatures", "SiftExtractor"]

ImageFeatures = dict[str, Tensor]
"""keypoints (N, 2) pixels, positions (N, 2), scores (N,), descriptors (N, D); extras (N, E) where there are some."""


class Extractor(Protocol):
    """Where the features of training images come from; it travels to other processes by pickle."""

    @property
    def digest(self) -> str:
        """What tells its features from those of others."""
        ...

    def __call__(self, image: NDArray[np.float32], rng: np.random.Generator) -> ImageFeatures:
        """Features of a grey image (H, W) in [0, 1], always the same number of them."""
        ...


class FeatureExtractor:
    """A frozen detector on a CPU."""

    def __init__(self, superpoint: SuperPoint, count: int) -> None:
        """Prepare a detector.

        Args:
            superpoint: with trained weights.
            count: keypoints an image, always so many.
        """
        self._config = superpoint.config
        self._superpoint = superpoint.eval()
        self._fast = FastSuperPoint(superpoint)
        self.count = count

    @property
    def digest(self) -> str:
        """What tells this detector from others."""
        return weights_digest(self._superpoint)

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.float32], rng: np.random.Generator) -> ImageFeatures:
        """Features of a grey image (H, W) in [0, 1].

        The strongest maxima come first; where there are too few, random places follow with what the detector gives
        them, as in the paper, so that the matcher also learns to refuse.
        """
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
        positions = normalize_keypoints(keypoints, image.shape)
        return {"keypoints": keypoints, "positions": positions, "scores": scores, "descriptors": descriptors}


class SiftExtractor:
    """SIFT with scale and orientation, as `cyano.processing.sift` has it."""

    def __init__(self, count: int) -> None:
        """Nothing to prepare: `count` keypoints an image, always so many."""
        self.count = count

    @property
    def digest(self) -> str:
        """The implementation, which has no weights."""
        return f"OpenCV {cv2.__version__} SIFT"

    def __call__(self, image: NDArray[np.float32], rng: np.random.Generator) -> ImageFeatures:
        """Features of a grey image (H, W) in [0, 1]: the strongest keypoints, and random places where they are few."""
        found = detect_sift(image, self.count)
        missing = self.count - len(found.keypoints)
        height, width = image.shape
        places = rng.uniform((0, 0), (width - 1, height - 1), (missing, 2)).astype(np.float32)
        random = describe_places(image, places, rng.uniform(0, 360, missing).astype(np.float32))
        both = SiftKeypoints(*(torch.cat(parts) for parts in zip(found, random, strict=True)))
        return {**both._asdict(), "positions": normalize_keypoints(both.keypoints, image.shape)}
