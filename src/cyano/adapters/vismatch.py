"""Cyano among the matchers of vismatch: `register()`, then `get_matcher("cyano")`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cyano.adapters.common import DeviceMatchers, need_host
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule

__all__ = ["matcher_class", "register"]

NAME = "cyano"

need_host("vismatch", "pip install vismatch")


@cache
def matcher_class() -> Any:
    """The class `CyanoMatcher`, a `vismatch.BaseMatcher`: made when it is asked for, since that imports vismatch."""
    base = import_module("vismatch").BaseMatcher

    class CyanoMatcher(base):  # type: ignore[misc, valid-type]
        """SuperPoint and SuperGlue, aligned."""

        def __init__(
            self,
            device: str = "cpu",
            max_num_keypoints: int = 2048,
            *,
            weights: str | Path | None = None,
            resize: int | None = 640,
            match_threshold: float | None = None,
            **kwargs: Any,
        ) -> None:
            """Load the weights.

            Args:
                device: where to run.
                max_num_keypoints: of each image.
                weights: see `cyano.Matcher.from_pretrained`.
                resize: pixels of the longer side for the networks; None leaves images as they are.
                match_threshold: least probability of a match.
                kwargs: those of `vismatch.BaseMatcher`.
            """
            super().__init__(device, **kwargs)
            rule = ResizeRule(longest_side=resize)
            options = MatcherOptions(resize=rule, max_keypoints=max_num_keypoints, match_threshold=match_threshold)
            self._matcher = DeviceMatchers(weights, options).on(torch.device(device))

        def _forward(self, img0: Tensor, img1: Tensor) -> tuple[Any, ...]:
            """Matched and all keypoints, all descriptors, and confidences of two images (3, H, W)."""
            side0, side1 = self._matcher.extract([img0, img1])
            (found,) = self._matcher.match_features([(side0, side1)])
            keypoints = (found.keypoints0, found.keypoints1, found.image0.keypoints, found.image1.keypoints)
            return (*keypoints, side0.descriptors, side1.descriptors, found.scores)

    return CyanoMatcher


def register() -> None:
    """Make the name "cyano" known to vismatch; import `get_matcher` after it. A second time changes nothing.

    Example:
        >>> register()
        >>> from vismatch import get_matcher
        >>> matcher = get_matcher("cyano", device="cpu")
    """
    host: Any = import_module("vismatch")
    if NAME in host.available_models:
        return
    host.available_models.append(NAME)
    others = host.get_matcher

    def get_matcher(matcher_name: Any = "sift-lightglue", device: Any = "cpu", *args: Any, **kwargs: Any) -> Any:
        """As vismatch has it, with Cyano among the names."""
        if matcher_name == NAME:
            return matcher_class()(str(device), *args, **kwargs)
        return others(matcher_name, device, *args, **kwargs)

    host.get_matcher = get_matcher
