"""SIFT with the ratio test and mutual nearest neighbours: the classical baseline."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cyano.evaluation.methods.method import Found
from cyano.evaluation.methods.networks import turned_rule
from cyano.evaluation.provenance import Record, rule_text
from cyano.models.precision import CPU_FLOATS
from cyano.processing import resize
from cyano.processing.images import LoadedImage
from cyano.processing.resize import ResizeRule
from cyano.types import Features

__all__ = ["SiftFeatures", "SiftMethod"]

FEATURES = 2048
RATIO = 0.8

_OFFSET = 0.25
"""Pixels that OpenCV's keypoints lie too far to the right and below, by its enlargement of the image. Its option
`enable_precise_upscale` avoids that, but gives other keypoints, whose poses were no better."""


class SiftFeatures:
    """OpenCV's SIFT on the same resized image that the networks see."""

    def __init__(self, rule: ResizeRule, count: int = FEATURES) -> None:
        """Prepare the detector: at most `count` features an image."""
        self._rule = rule
        self._sift = cv2.SIFT.create(nfeatures=count)
        self.record: Record = {
            "detector": "OpenCV SIFT",
            "opencv": cv2.__version__,
            "resize": rule_text(rule),
            "max_keypoints": count,
        }

    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image in pixels of the original, seen after so many CLOCKWISE quarter turns."""
        grey, frame = resize.apply(image, turned_rule(self._rule, turns), -turns % 4)
        found, descriptors = self._sift.detectAndCompute(np.rint(grey * 255).astype(np.uint8), None)
        if not found:
            nothing = torch.zeros(0, 128, **CPU_FLOATS)
            return Features(nothing[:, :2], nothing[:, 0], nothing, frame)
        keypoints = torch.tensor([keypoint.pt for keypoint in found], **CPU_FLOATS) - _OFFSET
        scores = torch.tensor([keypoint.response for keypoint in found], **CPU_FLOATS)
        units = torch.nn.functional.normalize(torch.from_numpy(np.asarray(descriptors, dtype=np.float32)), dim=1)
        return Features(frame.to_original(keypoints), scores, units, frame)


class SiftMethod:
    """Lowe's ratio test from image 0 to image 1, and each the other's nearest."""

    name = "sift"

    def __init__(self, extractor: SiftFeatures, ratio: float = RATIO) -> None:
        """Prepare: a match has a distance below `ratio` times that of the second nearest."""
        self.extractor = extractor
        self._ratio = ratio
        self.record: Record = {**extractor.record, "matching": f"ratio {ratio:g} and mutual nearest neighbours"}

    def match(self, features0: Features, features1: Features) -> Found:
        """Match by distance; the score is one minus the ratio."""
        return ratio_matches(features0.descriptors.numpy(), features1.descriptors.numpy(), self._ratio)


def ratio_matches(descriptors0: NDArray[np.float32], descriptors1: NDArray[np.float32], ratio: float) -> Found:
    """Mutual nearest neighbours that pass the ratio test.

    Args:
        descriptors0: (M, D) rows of unit length.
        descriptors1: (N, D) likewise; with fewer than two of them nothing can be told.
        ratio: largest distance to the nearest as a share of that to the second nearest.
    """
    if len(descriptors0) == 0 or len(descriptors1) < 2:
        return Found(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
    similarity = descriptors0 @ descriptors1.T  # (M, N)
    nearest = np.argpartition(-similarity, 1, axis=1)[:, :2]  # the first is the nearest
    closest = np.take_along_axis(similarity, nearest, axis=1).astype(np.float64)
    distances = np.sqrt(np.maximum(2 - 2 * closest, 0))  # (M, 2)
    rows = np.arange(len(descriptors0))
    good = (similarity.argmax(axis=0)[nearest[:, 0]] == rows) & (distances[:, 0] < ratio * distances[:, 1])
    matches = np.stack([rows[good], nearest[good, 0]], axis=1).astype(np.int64)
    scores = 1 - distances[good, 0] / distances[good, 1]
    return Found(matches, scores.astype(np.float32))
