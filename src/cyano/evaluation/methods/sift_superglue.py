"""SuperGlue on SIFT: the keypoints that it was trained on, matched by a matcher without a detector."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from cyano import __version__
from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.lone_matcher import LoneMatcher
from cyano.evaluation.methods.method import Found
from cyano.evaluation.methods.networks import turned_rule
from cyano.evaluation.provenance import Record, rule_text
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.superpoint import SuperPointConfig
from cyano.options import MatcherOptions
from cyano.processing import resize
from cyano.processing.assignment import mutual_matches
from cyano.processing.batching import keypoint_set
from cyano.processing.images import LoadedImage
from cyano.processing.resize import ResizeRule
from cyano.processing.sift import detect_sift
from cyano.types import Features

__all__ = ["OrientedSift", "SiftSuperGlueMethod"]


class OrientedSift:
    """SIFT as `cyano.training` shows it to a matcher: RootSIFT with scale and orientation."""

    def __init__(self, rule: ResizeRule, count: int) -> None:
        """Take at most `count` keypoints of the resized image, a negative number for all."""
        self._rule = rule
        self._count = count

    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image in pixels of the original, seen after so many CLOCKWISE quarter turns."""
        grey, frame = resize.apply(image, turned_rule(self._rule, turns), -turns % 4)
        seen = detect_sift(grey, self._count)
        return Features(frame.to_original(seen.keypoints), seen.scores, seen.descriptors, frame, seen.extras)


class SiftSuperGlueMethod:
    """What `cyano train matcher --recipe sift` trains."""

    name = "sift-superglue"

    def __init__(self, matcher: LoneMatcher, options: MatcherOptions, device: str = "cpu") -> None:
        """Prepare the matcher.

        Args:
            matcher: one of SIFT's features.
            options: how to resize, how many keypoints to keep, and what to accept.
            device: where the matcher runs.
        """
        count = -1 if options.max_keypoints is None else options.max_keypoints
        self.extractor = OrientedSift(options.resize, count)
        _, self._rules = options.over(SuperPointConfig(), matcher.superglue.config)
        self._device = torch.device(device)
        on_cpu = self._device.type == "cpu"
        self._superglue = FastSuperGlue(matcher.superglue) if on_cpu else matcher.superglue.to(self._device)
        self.record: Record = {
            "version": __version__,
            "detector": "OpenCV SIFT, RootSIFT, one orientation a place",
            "opencv": cv2.__version__,
            "weights": matcher.source,
            "weights_sha256": weights_digest(matcher.superglue),
            "device": self._device.type,
            "resize": rule_text(options.resize),
            "max_keypoints": count,
            "match_threshold": self._rules.matching_threshold,
            "sinkhorn_iterations": self._rules.sinkhorn_iterations,
        }

    @torch.inference_mode()
    def match(self, features0: Features, features1: Features) -> Found:
        """Match by SuperGlue; scores are probabilities."""
        if not len(features0) or not len(features1):
            return Found(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
        set0, set1 = (keypoint_set(features.to(self._device)) for features in (features0, features1))
        log_assignment = self._superglue(set0, set1, iterations=self._rules.sinkhorn_iterations)
        found = mutual_matches(log_assignment, self._rules.matching_threshold)
        matched = torch.nonzero(found.matches0[0] >= 0)[:, 0]
        matches = torch.stack([matched, found.matches0[0][matched]], dim=1)
        return Found(matches.cpu().numpy(), found.scores0[0][matched].cpu().numpy())
