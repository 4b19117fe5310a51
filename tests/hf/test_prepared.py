"""The face runs the fast forms where they serve, and nobody can tell but by the clock."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from cyano.hf import SuperGlueForKeypointMatching
from cyano.hf.prepared import Prepared, runs_fast
from cyano.models.fast_superglue import FastSuperGlue
from support.networks import random_superglue


def test_when_the_fast_form_serves(right_model: SuperGlueForKeypointMatching) -> None:
    config = right_model.config.native()
    assert runs_fast(right_model, config)
    with torch.enable_grad():
        assert not runs_fast(right_model, config)
    assert not runs_fast(copy.deepcopy(right_model).train(), config)
    assert not runs_fast(copy.deepcopy(right_model).double(), config)


@pytest.mark.parametrize("exact", [True, False])
def test_both_routes_agree(
    exact: bool,
    exact_model: SuperGlueForKeypointMatching,
    right_model: SuperGlueForKeypointMatching,
    pixels: Tensor,
) -> None:
    model = exact_model if exact else right_model
    fast = model(pixels)
    with torch.enable_grad():
        readable = model(pixels)
    assert torch.equal(fast.keypoints, readable.keypoints)
    assert torch.equal(fast.matches, readable.matches)
    # Probabilities after a hundred iterations of the transport, float32 sums in another order.
    torch.testing.assert_close(fast.matching_scores, readable.matching_scores, atol=1e-4, rtol=0)


def test_one_pair_does_not_depend_on_the_other(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    together = right_model(pixels)
    for i in range(2):
        alone = right_model(pixels[i : i + 1])
        count = alone.mask.shape[-1]
        assert torch.equal(together.matches[i, :, :count], alone.matches[0])
        assert torch.equal(together.matching_scores[i, :, :count], alone.matching_scores[0])


def test_changed_parameters_show_at_once(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    model = copy.deepcopy(right_model)
    before = model(pixels)
    model.bin_score.fill_(1000.0)  # no match is worth more than the dustbin
    assert (model(pixels).matches == -1).all()
    model.load_state_dict(right_model.state_dict())
    assert torch.equal(model(pixels).matches, before.matches)
    model.keypoint_detector.keypoint_decoder.conv_score_b.bias[64] = 1000.0
    assert model(pixels).mask.shape[-1] == 0


def _through_numpy(values: Tensor) -> None:
    values.detach().numpy()[...] = 1000.0


CHANGES = {
    "data": lambda model: model.bin_score.data.fill_(1000.0),
    "numpy": lambda model: _through_numpy(model.bin_score),
    "state dict": lambda model: model.state_dict()["bin_score"].fill_(1000.0),
    "assigned": lambda model: model.load_state_dict(
        {**model.state_dict(), "bin_score": torch.tensor(1000.0)}, assign=True
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_a_parameter_shows_at_once(
    change: str, right_model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    model = copy.deepcopy(right_model)
    assert (model(pixels).matches >= 0).any()
    CHANGES[change](model)
    assert (model(pixels).matches == -1).all()


def test_values_that_change_places_show_at_once() -> None:
    model, prepared = random_superglue(), Prepared(lambda model, _: model.final_projection.final_proj.weight.clone())
    before = prepared.of(model)
    model.final_projection.final_proj.weight.data.copy_(before.flip(0, 1))
    assert torch.equal(prepared.of(model), before.flip(0, 1))


def test_settings_show_at_once(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    model = SuperGlueForKeypointMatching(copy.deepcopy(right_model.config)).eval()
    model.load_state_dict(right_model.state_dict())
    before = model(pixels)
    model.config.sinkhorn_iterations = 1
    assert not torch.equal(model(pixels).matching_scores, before.matching_scores)
    model.config.keypoint_detector_config.max_keypoints = 10
    assert model(pixels).mask.shape[-1] == 10


def test_the_form_is_kept_until_then() -> None:
    made = []

    def build(model: torch.nn.Module, dtype: torch.dtype) -> int:
        made.append(dtype)
        return len(made)

    model, prepared = random_superglue(), Prepared(build)
    assert [prepared.of(model) for _ in range(3)] == [1, 1, 1]
    model.gnn.layers[0].mlp[0].batch_norm.running_mean += 1  # a buffer counts as well
    assert prepared.of(model) == 2
    assert made == [torch.float32] * 2


def test_models_that_have_run_can_be_copied_and_pickled(
    right_model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    expected = right_model(pixels).matches
    assert torch.equal(copy.deepcopy(right_model)(pixels).matches, expected)
    assert torch.equal(pickle.loads(pickle.dumps(right_model))(pixels).matches, expected)
    assert pickle.loads(pickle.dumps(Prepared(FastSuperGlue)))._form is None


def test_changes_under_inference_mode_show_at_once(pixels: Tensor) -> None:
    with torch.inference_mode():
        model = SuperGlueForKeypointMatching.from_pretrained()
        assert (model(pixels).matches >= 0).any()
        model.bin_score.fill_(1000.0)
        assert (model(pixels).matches == -1).all()


def test_weights_made_under_inference_mode_run() -> None:
    with torch.inference_mode():
        model = random_superglue()
        Prepared(FastSuperGlue).of(model)
