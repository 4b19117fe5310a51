from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyano.native.attention import HEAD_SIZES, attend

COUNTS = [(1, 1), (1, 70), (65, 3), (24, 64), (150, 131)]


def slow(qkv: NDArray[np.float64], count0: int, heads: int, cross: bool) -> NDArray[np.float64]:
    """Head after head and image after image, by the definition, in float64."""
    size = qkv.shape[1] // (3 * heads)
    parts = qkv.reshape(len(qkv), 3, heads, size)
    result = np.empty((len(qkv), heads, size))
    sides = slice(0, count0), slice(count0, None)
    for own, other in (sides, sides[::-1]):
        source = other if cross else own
        for head in range(heads):
            scores = parts[own, 0, head] @ parts[source, 1, head].T / np.sqrt(size)
            shares = np.exp(scores - scores.max(1, keepdims=True))
            result[own, head] = shares / shares.sum(1, keepdims=True) @ parts[source, 2, head]
    return result.reshape(len(qkv), -1)


def messages_of(qkv: Tensor, count0: int, heads: int, cross: bool = False, pairs: bool = False) -> Tensor:
    """As the fast form calls it, beside the states."""
    both = torch.full((len(qkv), 2 * qkv.shape[1] // 3), torch.nan)
    size = both.shape[1] // 2
    attend(qkv, both[:, size:], count0, heads, cross=cross, pairs=pairs)
    assert both[:, :size].isnan().all()
    return both[:, size:]


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("size", HEAD_SIZES)
@pytest.mark.parametrize("counts", COUNTS)
def test_as_by_the_definition(target: str, counts: tuple[int, int], size: int, cross: bool) -> None:
    generator = torch.Generator().manual_seed(sum(counts))
    heads = 2
    qkv = 1.5 * torch.randn(sum(counts), 3 * heads * size, generator=generator)
    expected = slow(qkv.double().numpy(), counts[0], heads, cross)
    # Sums of up to 150 float32 products; torch's fused attention is as far off.
    np.testing.assert_allclose(messages_of(qkv, counts[0], heads, cross).numpy(), expected, atol=2e-5)
    # bfloat16 rounds each of query, key, share and value by up to 0.4 %.
    coarse = messages_of(qkv, counts[0], heads, cross, pairs=True)
    np.testing.assert_allclose(coarse.numpy(), expected, atol=0.08)


def test_pairs_are_coarser_only_where_the_processor_has_them(target: str) -> None:
    qkv = torch.randn(40, 3 * 64)
    same = torch.equal(messages_of(qkv, 20, 1), messages_of(qkv, 20, 1, pairs=True))
    assert same == (target != "avx512bf16")


def test_threads_change_nothing(target: str) -> None:
    qkv = torch.randn(200, 3 * 128)
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        found.append(messages_of(qkv, 90, 2, cross=True))
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_one_sure_key_takes_all(target: str) -> None:
    qkv = torch.zeros(12, 3 * 32)
    qkv[:, 0], qkv[3, 32] = 1e3, 1e4  # all queries look along the first axis, where key 3 lies far out
    qkv[:, 64] = torch.arange(12.0)
    found = messages_of(qkv, 6, 1)
    np.testing.assert_array_equal(found[:6, 0], 3)
    np.testing.assert_allclose(found[6:, 0], 8.5)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_none_show(target: str, value: float) -> None:
    qkv = torch.randn(20, 3 * 64)
    clean = messages_of(qkv, 10, 1)
    qkv[2, 5] = value  # in a query: that keypoint's message alone
    found = messages_of(qkv, 10, 1)
    assert found[2].isnan().all()
    others = torch.arange(20) != 2
    assert torch.equal(found[others], clean[others])
