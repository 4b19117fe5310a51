"""The fast form against the readable one, on the same weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cyano.models import fast_layers, fast_superpoint
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPoint
from cyano.native import library
from support.networks import SMALL_SUPERGLUE, random_keypoints, random_superglue, random_superpoint


@pytest.mark.parametrize("strip_bytes", [1, 40_000, 4 * 2**20])
@pytest.mark.parametrize(("height", "width"), [(64, 80), (67, 85), (131, 40), (8, 8), (16, 9)])
def test_detector(monkeypatch: pytest.MonkeyPatch, strip_bytes: int, height: int, width: int) -> None:
    """Strips of 8 rows, of some, and of the whole image."""
    monkeypatch.setattr(library, "target", lambda: None)
    monkeypatch.setattr(fast_superpoint, "STRIP_BYTES", strip_bytes)
    model = random_superpoint()
    images = torch.rand(2, 1, height, width)
    with torch.no_grad():
        expected = model(images)
    dense = FastSuperPoint(model)(images)
    # Float32 convolutions in another order: ten layers of about 1e-7 each.
    torch.testing.assert_close(dense.scores, expected.scores, atol=1e-6, rtol=0)
    torch.testing.assert_close(dense.descriptors, expected.descriptors, atol=1e-5, rtol=0)


def test_full_size_detector() -> None:
    torch.manual_seed(0)
    model = SuperPoint().eval()
    images = torch.rand(1, 1, 200, 320)
    with torch.no_grad():
        expected = model(images)
    dense = FastSuperPoint(model)(images)
    torch.testing.assert_close(dense.scores, expected.scores, atol=1e-5, rtol=0)
    torch.testing.assert_close(dense.descriptors, expected.descriptors, atol=1e-5, rtol=0)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("count0", "count1"), [(30, 30), (30, 41), (1, 7), (7, 1)])
@pytest.mark.parametrize("kinds", [("self", "cross") * 2, ("cross",), ("self", "self"), ()])
def test_matcher(
    monkeypatch: pytest.MonkeyPatch, packed: bool, count0: int, count1: int, kinds: tuple[str, ...]
) -> None:
    if not packed:
        monkeypatch.setattr(fast_layers, "_has_packed_linear", lambda: False)
    model = random_superglue(replace(SMALL_SUPERGLUE, gnn_layers_types=kinds))
    set0, set1 = random_keypoints(count0, seed=1), random_keypoints(count1, seed=2)
    with torch.no_grad():
        expected = model(set0, set1)
    # Log-probabilities; folding reorders float32 products over a few layers.
    torch.testing.assert_close(FastSuperGlue(model)(set0, set1), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("counts", [[(5, 9), (12, 3)], [(0, 4), (6, 2)], [(3, 3), (3, 3)], [(0, 0), (0, 0)]])
def test_padded_batches(counts: list[tuple[int, int]]) -> None:
    model = random_superglue()
    sets = []
    for side in (0, 1):
        most = max(pair[side] for pair in counts)
        mask = torch.tensor([[j < pair[side] for j in range(most)] for pair in counts], dtype=torch.bool)
        mask = mask.reshape(len(counts), most)
        sets.append(random_keypoints(most, batch=len(counts), seed=side)._replace(mask=mask))
    with torch.no_grad():
        expected = model(*sets)
    found = FastSuperGlue(model)(*sets)
    assert found.shape == expected.shape
    # Where nobody is, both are far below any probability.
    torch.testing.assert_close(found[:, :-1, :-1].exp(), expected[:, :-1, :-1].exp(), atol=1e-5, rtol=0)
    for i, (m, n) in enumerate(counts):
        torch.testing.assert_close(found[i, :m, -1], expected[i, :m, -1], atol=1e-4, rtol=0)
        torch.testing.assert_close(found[i, -1, :n], expected[i, -1, :n], atol=1e-4, rtol=0)


@pytest.mark.parametrize("packed", [True, False])
def test_input_projection_and_extras(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    if not packed:
        monkeypatch.setattr(fast_layers, "_has_packed_linear", lambda: False)
    model = random_superglue(replace(SMALL_SUPERGLUE, input_size=20, keypoint_extras=3))
    extras = [torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(side)) for side in (0, 1)]
    sets = [random_keypoints(9, 20, batch=2, seed=side)._replace(extras=extras[side]) for side in (0, 1)]
    with torch.no_grad():
        expected = model(*sets)
        other = model(sets[0], sets[1]._replace(extras=extras[0]))
    found = FastSuperGlue(model)(*sets)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert float((other - expected).abs().max()) > 0.01
    mask = torch.arange(9)[None] < torch.tensor([[9], [6]])
    padded = FastSuperGlue(model)(*(side._replace(mask=mask) for side in sets))
    torch.testing.assert_close(padded[0], found[0])


def test_full_size_matcher() -> None:
    model = random_superglue(SuperGlueConfig())
    set0, set1 = random_keypoints(200, 256, seed=1), random_keypoints(150, 256, seed=2)
    with torch.no_grad():
        expected = model(set0, set1)
    found = FastSuperGlue(model)(set0, set1)
    # Scores have a spread of about 10 here, 18 layers deep: probabilities agree to 1e-4.
    torch.testing.assert_close(found.exp(), expected.exp(), atol=1e-4, rtol=1e-3)
    assert (found[0, :-1].argmax(1) == expected[0, :-1].argmax(1)).all()


@pytest.mark.parametrize("counts", [(0, 5), (5, 0), (0, 0)])
def test_no_keypoints(counts: tuple[int, int]) -> None:
    model = FastSuperGlue(random_superglue())
    result = model(random_keypoints(counts[0]), random_keypoints(counts[1]))
    assert result.shape == (1, counts[0] + 1, counts[1] + 1)
    assert torch.isfinite(result).all()


def test_models_are_copied_and_left_alone() -> None:
    model = random_superglue()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quick = FastSuperGlue(model)
    set0, set1 = random_keypoints(10, seed=1), random_keypoints(11, seed=2)
    result = quick(set0, set1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(quick(set0, set1), result)


def test_bfloat16_is_close_and_its_results_are_float32() -> None:
    model = random_superglue()
    set0, set1 = random_keypoints(50, seed=1), random_keypoints(50, seed=2)
    exact, rough = FastSuperGlue(model)(set0, set1), FastSuperGlue(model, torch.bfloat16)(set0, set1)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    # bfloat16 has 8 bits: relative errors of 0.4 % in products; probabilities of random weights within 0.2.
    torch.testing.assert_close(rough.exp()[:, :-1, :-1], exact.exp()[:, :-1, :-1], atol=0.2, rtol=0)


def test_iterations_can_be_overridden() -> None:
    model = FastSuperGlue(random_superglue())
    set0, set1 = random_keypoints(10, seed=1), random_keypoints(12, seed=2)
    assert torch.equal(model(set0, set1), model(set0, set1, iterations=SMALL_SUPERGLUE.sinkhorn_iterations))
    assert not torch.equal(model(set0, set1), model(set0, set1, iterations=3))
