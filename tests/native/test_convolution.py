from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cyano.native import library
from cyano.native.convolution import Convolution

# Height, width, channels in and out: whole tiles and vectors, and neither; single pixels, rows and channels.
SHAPES = [(8, 12, 16, 32), (9, 7, 5, 65), (1, 1, 3, 1), (1, 30, 8, 24), (21, 3, 33, 48), (48, 50, 64, 64)]


def slow(x: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, C) -> (H, W, K), by the definition, in float64."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    height, width = x.shape[:2]
    total = np.zeros((height, width, len(weight))) + bias
    for i in range(3):
        for j in range(3):
            total += padded[i : i + height, j : j + width] @ weight[:, :, i, j].T
    return np.maximum(total, 0)


def pooled(x: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = len(x) // 2 * 2, x.shape[1] // 2 * 2
    corners = [x[i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    return np.max(corners, axis=0)


def parameters(layer: nn.Conv2d) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    assert layer.bias is not None
    return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_as_by_the_definition(target: str, shape: tuple[int, int, int, int], pool: bool, threads: int) -> None:
    height, width, inputs, outputs = shape
    torch.manual_seed(height)
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    x = torch.randn(height, width, inputs)
    expected = slow(x.double().numpy(), *parameters(layer))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = Convolution(layer, pool=pool)(x)
    finally:
        torch.set_num_threads(before)
    # F(4x4, 3x3) multiplies rounding errors by about ten: 1e-6 of the results, which are of the order of 1.
    np.testing.assert_allclose(found.numpy(), pooled(expected) if pool else expected, atol=2e-5)


@pytest.mark.parametrize("shape", [(8, 12, 16, 32), (13, 6, 5, 20), (1, 1, 3, 7)])
def test_with_a_first_layer(target: str, shape: tuple[int, int, int, int]) -> None:
    height, width, inputs, outputs = shape
    torch.manual_seed(1)
    first, layer = nn.Conv2d(1, inputs, 3, padding=1), nn.Conv2d(inputs, outputs, 3, padding=1)
    x = torch.rand(height, width)
    between = slow(x.double().numpy()[..., None], *parameters(first))
    expected = slow(between, *parameters(layer))
    np.testing.assert_allclose(Convolution(layer, first=first)(x).numpy(), expected, atol=2e-5)
    np.testing.assert_allclose(Convolution(layer, first=first, pool=True)(x).numpy(), pooled(expected), atol=2e-5)


def test_values_that_are_none_stay_in_their_tiles(target: str) -> None:
    layer = nn.Conv2d(16, 16, 3, padding=1)
    x = torch.rand(24, 24, 16)
    clean = Convolution(layer)(x)
    for value in (torch.nan, torch.inf):
        x[12, 12, 3] = value
        found = Convolution(layer)(x)
        assert found[12, 12].isnan().all()
        # What a tile sees is four pixels and one more around; the rest is untouched.
        apart = torch.ones(24, 24, dtype=torch.bool)
        apart[8:20, 8:20] = False
        assert torch.equal(found[apart], clean[apart])


def test_tiny_numbers_and_none(target: str) -> None:
    layer = nn.Conv2d(8, 8, 3, padding=1, bias=False)
    assert not Convolution(layer)(torch.zeros(5, 5, 8)).any()
    found = Convolution(layer)(torch.full((5, 5, 8), 1e-42))  # denormal
    assert found.isfinite().all()
    assert found.max() <= 1e-41


def test_unaligned_memory(target: str) -> None:
    layer = nn.Conv2d(16, 16, 3, padding=1)
    memory = torch.rand(6 * 6 * 16 + 1)
    shifted = memory[1:].view(6, 6, 16)
    assert shifted.data_ptr() % 64 != 0
    assert torch.equal(Convolution(layer)(shifted), Convolution(layer)(shifted.clone()))


def test_pickles_are_for_every_processor(target: str) -> None:
    layer, first = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(1, 4, 3, padding=1)
    x = torch.rand(16, 16)
    convolution = Convolution(layer, first=first, pool=True)
    saved = pickle.dumps(convolution)
    assert torch.equal(pickle.loads(saved)(x), convolution(x))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "target", lambda: None)
        elsewhere = pickle.loads(saved)
    torch.testing.assert_close(elsewhere(x), convolution(x), atol=1e-5, rtol=0)


def test_what_is_no_memory_is_refused(target: str) -> None:
    layer = nn.Conv2d(4, 8, 3, padding=1)
    with pytest.raises(ValueError, match="contiguous tensors in memory"):
        Convolution(layer)(torch.rand(16, 4, 16).transpose(1, 2))
