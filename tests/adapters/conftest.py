"""Photographs with a known shift, and the matchers that adapters are held against."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cyano.adapters.common import DeviceMatchers
from cyano.checkpoints.loading import Networks, load
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule


@pytest.fixture(scope="session")
def pictures() -> list[NDArray[np.uint8]]:
    """Three grey crops (160, 200) of one photograph, 24 pixels apart, and a flat one without a keypoint."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    grey = data.camera()[100:, 100:]
    crops = [np.ascontiguousarray(grey[at : at + 160, at : at + 200]) for at in (0, 24, 48)]
    return [*crops, np.full((160, 200), 127, np.uint8)]


@pytest.fixture(scope="session")
def tensors(pictures: list[NDArray[np.uint8]]) -> list[torch.Tensor]:
    """The pictures as (1, 1, H, W) in [0, 1]."""
    return [torch.from_numpy(each).float()[None, None] / 255 for each in pictures]


@pytest.fixture(scope="session")
def networks() -> Networks:
    return load()


@pytest.fixture(scope="session")
def options() -> MatcherOptions:
    return MatcherOptions(resize=ResizeRule.none(), max_keypoints=200)


@pytest.fixture(scope="session")
def matcher(networks: Networks, options: MatcherOptions) -> Matcher:
    return DeviceMatchers(networks, options).on("cpu")
