"""Turned descriptors are the same descriptors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cyano.models.superpoint import SuperPoint, SuperPointConfig
from cyano.training.data.features import FeatureExtractor, SiftExtractor
from cyano.training.data.photographs import Photographs
from cyano.training.networks import principal_axes
from cyano.training.networks.principal_axes import turn_detector, turn_projection
from support.photographs import write_photographs


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Photographs:
    monkeypatch.setattr(principal_axes, "PHOTOGRAPHS", 12)
    return Photographs(sorted(write_photographs(tmp_path, 3).glob("*.png")))


def flat_detector() -> SuperPoint:
    """A detector whose descriptors have 10 of 32 dimensions, in no channels of their own."""
    torch.manual_seed(0)
    superpoint = SuperPoint(SuperPointConfig((4, 4, 8, 16), decoder_hidden_size=16, descriptor_decoder_dim=32)).eval()
    last = superpoint.descriptor_decoder.conv_descriptor_b
    with torch.no_grad():
        last.weight[:, :, 0, 0] = torch.randn(32, 10) @ torch.randn(10, 16)
        last.bias.zero_()
    return superpoint


def test_products_stay_and_the_second_half_is_empty(photographs: Photographs) -> None:
    superpoint = flat_detector()
    _, image = photographs.draw(np.random.default_rng(0))
    image = image[:96, :128]
    before = FeatureExtractor(superpoint, 60)(image, np.random.default_rng(0))
    turn_detector(superpoint, photographs, 0)
    after = FeatureExtractor(superpoint, 60)(image, np.random.default_rng(0))
    assert torch.equal(before["keypoints"], after["keypoints"])
    assert torch.equal(after["descriptors"][:, 16:], torch.zeros(60, 16))
    products = [features["descriptors"] @ features["descriptors"].T for features in (before, after)]
    assert torch.allclose(*products, atol=1e-5)  # two networks in float32
    moments = after["descriptors"].square().mean(0)
    assert float(moments[:10].sum()) > 0.99


def test_what_is_turned_stays(photographs: Photographs) -> None:
    superpoint = flat_detector()
    turn_detector(superpoint, photographs, 0)
    turned = {name: value.clone() for name, value in superpoint.state_dict().items()}
    turn_detector(superpoint, photographs, 1)
    assert all(torch.equal(value, turned[name]) for name, value in superpoint.state_dict().items())


def test_a_projection_keeps_most_of_sift(photographs: Photographs) -> None:
    projection = nn.Linear(128, 128)
    turn_projection(projection, SiftExtractor(60), photographs, 0)
    _, image = photographs.draw(np.random.default_rng(1))
    descriptors = SiftExtractor(60)(image, np.random.default_rng(1))["descriptors"]
    with torch.no_grad():
        projected = projection(descriptors)
    assert not projected[:, 64:].any()
    difference = projected @ projected.T - descriptors @ descriptors.T
    assert float(difference.abs().mean()) < 0.05  # half of the dimensions are left out
