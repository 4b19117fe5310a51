"""What the adapters share: a matcher for each device, images of a batch, and a word on programs that are absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cyano.checkpoints.loading import Networks, load
from cyano.errors import InputError, MissingExtraError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.images import read
from cyano.types import Features

__all__ = ["DeviceMatchers", "batch_of", "need_host", "with_pixels", "without_pixels"]


class DeviceMatchers:
    """Networks and options with a matcher for each device that a program computes on, made when it is asked for."""

    def __init__(
        self,
        weights: str | Path | Networks | None = None,
        options: MatcherOptions | None = None,
        *,
        border: int | None = None,
    ) -> None:
        """Load the weights.

        Args:
            weights: see `cyano.checkpoints.load`; or networks, which are taken as they are.
            options: how to match.
            border: no keypoint lies nearer than this to the border, in pixels; None leaves it to the weights.

        Raises:
            WeightsError: see `cyano.checkpoints.load`.
            InputError: the border is negative.
        """
        self.networks = weights if isinstance(weights, Networks) else load(weights)
        self.options = options or MatcherOptions()
        if border is not None:
            if border < 0:
                raise InputError(f"the border is 0 or more pixels, not {border}")
            detector = self.networks.superpoint
            detector.config = replace(detector.config, border_removal_distance=border)
        self._matchers: dict[torch.device, Matcher] = {}

    def on(self, device: torch.device | str) -> Matcher:
        """The matcher on a device.

        Raises:
            InputError: this machine has no such device.
            WeightsError: the weights are a detector's alone.
        """
        device = torch.device(device)
        if device not in self._matchers:
            self._matchers[device] = Matcher(self.networks, self.options, device=device)
        return self._matchers[device]


def batch_of(images: Any, name: str) -> list[Tensor]:
    """The images of a batch, (C, H, W) or (H, W) each, on their device.

    Args:
        images: (B, C, H, W), or a list of B tensors (C, H, W) or (1, C, H, W), whose sizes may differ.
        name: what to call them in an error.

    Raises:
        InputError: these are no such images.
    """
    if isinstance(images, Tensor) and images.ndim == 4:
        return list(images)
    if isinstance(images, Sequence) and all(isinstance(each, Tensor) for each in images):
        return [each[0] if each.ndim == 4 and len(each) == 1 else each for each in images]
    shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
    raise InputError(f"{name} is a tensor (B, 1, H, W) with values in [0, 1], or a list of B of (1, H, W), not {shape}")


def with_pixels(features: Features, image: Tensor) -> Features:
    """Features with the image that the detector saw, as it was given to it, so that matches can be aligned."""
    grey = torch.from_numpy(read(image).grey).half()
    return replace(features, image=grey.to(features.keypoints.device))


def without_pixels(features: Features) -> Features:
    """Features whose keypoints stay as they are: without the image, their matches are not aligned."""
    return replace(features, image=None)


def need_host(package: str, remedy: str) -> None:
    """Refuse what needs another program that is not installed; it is looked for and not imported.

    Args:
        package: the name that it is imported by.
        remedy: how to install it, for the message.

    Raises:
        MissingExtraError: it is absent.
    """
    if find_spec(package) is None:
        raise MissingExtraError(f"this adapter is for {package}, which is not installed: {remedy}")
