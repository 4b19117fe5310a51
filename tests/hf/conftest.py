from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import transformers
from torch import Tensor

from cyano.hf import SuperGlueForKeypointMatching
from support.random_weights import SMALL, pixel_values, random_model, small_config, stereo_pair
from support.transformers_twin import twin


@pytest.fixture(scope="session")
def pixels() -> Tensor:
    """Two pairs of 120x160: the views, and the first one with its upside-down self."""
    left, right = stereo_pair(120, 160)
    return pixel_values((left, right), (left, left.rotate(180)))


@pytest.fixture(scope="session")
def exact_model(pixels: Tensor) -> SuperGlueForKeypointMatching:
    """A small matcher that gives transformers' numbers."""
    model = random_model(small_config(), gains=SMALL, pixels=pixels)
    return _with_switch(model, True)


@pytest.fixture(scope="session")
def right_model(exact_model: SuperGlueForKeypointMatching) -> SuperGlueForKeypointMatching:
    """The same weights without transformers' mistakes."""
    return _with_switch(exact_model, False)


def _with_switch(model: SuperGlueForKeypointMatching, exact: bool) -> SuperGlueForKeypointMatching:
    other = SuperGlueForKeypointMatching(model.config, transformers_exact=exact).eval()
    other.load_state_dict(model.state_dict())
    return other


@pytest.fixture(scope="session")
def reference(exact_model: SuperGlueForKeypointMatching) -> transformers.SuperGlueForKeypointMatching:
    """transformers' model with the same weights."""
    return twin(exact_model)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    """Each test says where it wants gradients."""
    with torch.no_grad():
        yield
