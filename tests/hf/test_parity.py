"""Stage by stage against transformers, with the same random weights and the same pixels.

Tolerances: both sides compute in float32 in nearly the same order, so each stage differs by a few units in the last
place of its largest values; the bounds are about ten times what is seen, and hundreds of times below what the known
mistakes cause (a wrong order of heads, a shifted sampling grid, another batch norm epsilon: above 1e-2).
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor

from cyano.hf import SuperGlueConfig, SuperGlueForKeypointMatching
from cyano.models.superglue import SuperGlue
from cyano.models.superpoint import pixel_scores
from cyano.processing.keypoints import suppress_non_maxima
from support.random_weights import FULL, pixel_values, random_model, stereo_pair
from support.transformers_twin import taps, twin


@pytest.fixture(scope="module")
def stages(reference: transformers.SuperGlueForKeypointMatching, pixels: Tensor) -> dict[str, Any]:
    with taps(reference) as seen:
        output = reference(pixels, output_hidden_states=True, output_attentions=True)
    return {**seen, "output": output}


def test_the_fixture_is_not_degenerate(stages: dict[str, Any]) -> None:
    output = stages["output"]
    counts = output.mask.sum(-1).flatten().tolist()
    assert len(set(counts)) > 1  # padding is at work
    assert 50 < min(counts) < max(counts) < 500
    scores = output.matching_scores[output.matches > -1]
    assert len(scores) > 100
    assert scores.quantile(0.1) < 0.5 < scores.quantile(0.9)


def test_detector_maps(exact_model: SuperGlueForKeypointMatching, pixels: Tensor, stages: dict[str, Any]) -> None:
    detector = exact_model.keypoint_detector
    codes = detector.encoder(pixels.flatten(0, 1)[:, :1])
    torch.testing.assert_close(codes[-1], stages["encoder"][0], rtol=1e-5, atol=1e-5)
    logits = detector.keypoint_decoder(codes[-1])
    torch.testing.assert_close(logits, torch.cat(stages["score_logits"]), rtol=1e-5, atol=1e-5)
    dense = pixel_scores(logits)
    torch.testing.assert_close(dense, torch.cat(stages["dense_scores"]), rtol=1e-5, atol=1e-6)
    descriptors = F.normalize(torch.cat(stages["descriptor_map"]), dim=1)
    torch.testing.assert_close(detector.descriptor_decoder(codes[-1]), descriptors, rtol=0, atol=1e-6)


def test_suppression_picks_the_same_pixels(stages: dict[str, Any]) -> None:
    # The same input, so the same output to the bit: only comparisons are made.
    dense = torch.cat(stages["dense_scores"])
    assert torch.equal(suppress_non_maxima(dense, 4), torch.cat(stages["maxima"]))


def test_detections(
    exact_model: SuperGlueForKeypointMatching, reference: transformers.SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    images = pixels.flatten(0, 1)
    ours = exact_model.keypoint_detector(images, output_hidden_states=True)
    theirs = reference.keypoint_detector(images, output_hidden_states=True)
    assert torch.equal(ours.keypoints, theirs.keypoints)
    assert torch.equal(ours.mask, theirs.mask)
    assert ours.mask.dtype == theirs.mask.dtype
    torch.testing.assert_close(ours.scores, theirs.scores, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.descriptors, theirs.descriptors, rtol=0, atol=2e-6)
    for mine, yours in zip(ours.hidden_states, theirs.hidden_states, strict=True):
        torch.testing.assert_close(mine, yours, rtol=1e-5, atol=1e-5)


def test_matcher_stages(exact_model: SuperGlueForKeypointMatching, pixels: Tensor, stages: dict[str, Any]) -> None:
    found = exact_model.keypoint_detector.detect(pixels.flatten(0, 1), states=[])  # the readable form, as below
    sets = found.side(0, torch.float32), found.side(1, torch.float32)
    real0, real1 = sets[0].mask, sets[1].mask
    states = exact_model.propagate(*sets)
    for side, real in ((0, real0), (1, real1)):
        expected = stages["gnn_output"][0][side::2]
        torch.testing.assert_close(states[side][real], expected[real], rtol=1e-5, atol=1e-5)
        projected = exact_model.final_projection.final_proj(states[side])
        torch.testing.assert_close(projected[real], stages["projection"][0][side::2][real], rtol=1e-5, atol=1e-4)
        positions = exact_model.keypoint_encoder(sets[side].positions, sets[side].scores)[-1]
        expected = stages["keypoint_encoding"][0][side::2]
        torch.testing.assert_close(positions[real], expected[real], rtol=1e-5, atol=1e-6)
    both = real0[:, :, None] & real1[:, None, :]
    scores = exact_model.similarity(*states)
    torch.testing.assert_close(scores[both], stages["score_matrix"][0][both], rtol=1e-5, atol=1e-4)
    log_assignment = SuperGlue.forward(exact_model, *sets, count_padding=True)
    expected = stages["log_assignment"][0]
    # Errors of the scores pass through; 1e-4 in the log is 1e-4 of a probability.
    torch.testing.assert_close(log_assignment[:, :-1, :-1][both], expected[:, :-1, :-1][both], rtol=0, atol=2e-4)
    bins, expected_bins = log_assignment[:, :-1, -1][real0], expected[:, :-1, -1][real0]
    torch.testing.assert_close(bins, expected_bins, rtol=0, atol=2e-4)


def test_outputs(exact_model: SuperGlueForKeypointMatching, pixels: Tensor, stages: dict[str, Any]) -> None:
    _assert_same_output(exact_model, pixels, stages["output"])


def test_full_size_default_configuration() -> None:
    pixels = pixel_values(stereo_pair(160, 208))
    model = random_model(SuperGlueConfig(), gains=FULL, pixels=pixels)
    exact = SuperGlueForKeypointMatching(model.config, transformers_exact=True).eval()
    exact.load_state_dict(model.state_dict())
    expected = twin(exact)(pixels, output_hidden_states=True, output_attentions=True)
    assert (expected.matches > -1).sum() > 100
    assert len(expected.hidden_states) == 43
    assert len(expected.attentions) == 18
    _assert_same_output(exact, pixels, expected)


def _assert_same_output(model: SuperGlueForKeypointMatching, pixels: Tensor, expected: Any) -> None:
    output = model(pixels, output_hidden_states=True, output_attentions=True)
    assert list(output.keys()) == list(expected.keys())
    assert torch.equal(output.keypoints, expected.keypoints)
    assert torch.equal(output.mask, expected.mask)
    assert torch.equal(output.matches, expected.matches)
    for name in ("matches", "matching_scores", "keypoints", "mask"):
        assert output[name].dtype == expected[name].dtype, name
        assert output[name].shape == expected[name].shape, name
    # Thirty to a hundred iterations of the transport carry the scores' rounding of about 1e-5.
    torch.testing.assert_close(output.matching_scores, expected.matching_scores, rtol=0, atol=1e-4)
    real = output.mask > 0
    for mine, yours in zip(output.hidden_states, expected.hidden_states, strict=True):
        assert mine.shape == yours.shape
        # Random projections reach values of 50, of which 1e-5 is 5e-4.
        torch.testing.assert_close(mine.transpose(2, 3)[real], yours.transpose(2, 3)[real], rtol=1e-5, atol=5e-4)
    for mine, yours in zip(output.attentions, expected.attentions, strict=True):
        assert mine.shape == yours.shape
        queries = real[:, :, None, :, None].expand_as(mine)
        # Softmax of products that reach several tens: their rounding, a few 1e-5 and another one for each number of
        # threads, is that of the probabilities.
        torch.testing.assert_close(mine[queries], yours[queries], rtol=0, atol=3e-4)


def test_tuples(
    exact_model: SuperGlueForKeypointMatching, reference: transformers.SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    for extras in ({}, {"output_attentions": True}, {"output_hidden_states": True, "output_attentions": True}):
        ours = exact_model(pixels, return_dict=False, **extras)
        theirs = reference(pixels, return_dict=False, **extras)
        assert [type(item) for item in ours] == [type(item) for item in theirs]
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[3], theirs[3])
    detector, their_detector = exact_model.keypoint_detector, reference.keypoint_detector
    ours = detector(pixels[:, 0], return_dict=False, output_hidden_states=True)
    theirs = their_detector(pixels[:, 0], return_dict=False, output_hidden_states=True)
    assert len(ours) == len(theirs) == 5
    assert torch.equal(ours[0], theirs[0])


@pytest.mark.parametrize("change", [{"max_keypoints": 40}, {"nms_radius": 2}, {"border_removal_distance": 0}])
def test_detector_settings(exact_model: SuperGlueForKeypointMatching, pixels: Tensor, change: dict[str, int]) -> None:
    config = SuperGlueConfig.from_dict(exact_model.config.to_dict())
    for name, value in change.items():
        setattr(config.detector, name, value)
    model = SuperGlueForKeypointMatching(config, transformers_exact=True).eval()
    model.load_state_dict(exact_model.state_dict())
    _assert_same_output(model, pixels, twin(model)(pixels, output_hidden_states=True, output_attentions=True))


def test_no_keypoints_at_all(exact_model: SuperGlueForKeypointMatching) -> None:
    black = torch.zeros(1, 2, 3, 64, 64)
    model = SuperGlueForKeypointMatching(
        SuperGlueConfig.from_dict(exact_model.config.to_dict()), transformers_exact=True
    ).eval()
    model.load_state_dict(exact_model.state_dict())
    model.config.detector.keypoint_threshold = 0.9
    output, expected = model(black), twin(model)(black)
    for name in ("matches", "matching_scores", "keypoints", "mask"):
        assert output[name].shape == expected[name].shape, name
    assert output.matches.dtype == torch.int64  # transformers' is int32 here, and only here


def test_one_image_without_keypoints(
    exact_model: SuperGlueForKeypointMatching, reference: transformers.SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    half_black = pixels[:1].clone()
    half_black[:, 1] = 0
    output, expected = exact_model(half_black), reference(half_black)
    assert torch.equal(output.matches, expected.matches)
    assert torch.equal(output.matching_scores, expected.matching_scores)
    assert not output.matching_scores.isnan().any()
