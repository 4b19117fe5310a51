"""What differs from transformers on purpose, and what goes beyond it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from cyano import weights
from cyano.checkpoints import load
from cyano.errors import InputError, WeightsError
from cyano.hf import SuperGlueConfig, SuperGlueForKeypointMatching, SuperPointForKeypointDetection
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.types import Features, ImageSize, ResizeMap

BASE = Path(__file__).parents[2] / "runs" / "base" / "model"


def test_no_keypoint_lies_at_any_border(
    right_model: SuperGlueForKeypointMatching, exact_model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    size = torch.tensor([160, 120])

    def near_right_or_bottom(model: SuperGlueForKeypointMatching) -> int:
        output = model.keypoint_detector(pixels.flatten(0, 1))
        positions = (output.keypoints * size).round()[output.mask > 0]
        assert (positions >= 4).all()
        return int((positions >= size - 4).any(1).sum())

    assert near_right_or_bottom(right_model) == 0
    assert near_right_or_bottom(exact_model) > 0  # transformers' mistake, or this test shows nothing


def test_a_batch_gives_what_each_pair_gives(
    right_model: SuperGlueForKeypointMatching, exact_model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    def difference(model: SuperGlueForKeypointMatching) -> float:
        together, largest = model(pixels), 0.0
        for i in range(len(pixels)):
            alone = model(pixels[i : i + 1])
            count = alone.mask.shape[-1]
            assert torch.equal(together.matches[i, :, :count], alone.matches[0])
            change = together.matching_scores[i, :, :count] - alone.matching_scores[0]
            largest = max(largest, float(change.abs().max()))
        return largest

    assert difference(right_model) < 1e-5  # float32 rounding through 30 iterations
    assert difference(exact_model) > 1e-4  # transformers lets padding take part


def test_the_rule_for_places_that_comes_with_the_weights_holds_but_for_exactness(pixels: Tensor) -> None:
    grey = pixels.flatten(0, 1)[0]
    found = {}
    for exact in (False, True):
        model = SuperPointForKeypointDetection.from_pretrained(transformers_exact=exact)
        model.config.keypoint_localisation = "structure"
        output = model(grey[None])
        size = torch.tensor([grey.shape[2], grey.shape[1]])
        found[exact] = (output.keypoints[0] * size)[output.mask[0] > 0]
    options = MatcherOptions(ResizeRule.none(), localisation="structure")
    expected = Matcher(load(), options).extract([grey[0].numpy()])[0].keypoints
    assert len(expected) > 20
    assert torch.allclose(found[False], expected, atol=1e-3)  # divided by the image's size and multiplied again
    assert torch.allclose(found[True], found[True].round(), atol=1e-3)


def _features(model: SuperGlueForKeypointMatching, images: Tensor) -> list[Features]:
    output = model.keypoint_detector(images)
    height, width = images.shape[-2:]
    features = []
    for i, real in enumerate(output.mask > 0):
        keypoints = output.keypoints[i][real] * torch.tensor([width, height])
        frame = ResizeMap.identity(ImageSize(height, width))
        features.append(Features(keypoints, output.scores[i][real], output.descriptors[i][real], frame))
    return features


def test_features_in_place_of_pixels(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    first, second, third, fourth = _features(right_model, pixels.flatten(0, 1))
    expected = right_model(pixels)
    output = right_model(features=[(first, second), (third, fourth)])
    assert torch.equal(output.matches, expected.matches)
    torch.testing.assert_close(output.matching_scores, expected.matching_scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.keypoints, expected.keypoints, rtol=0, atol=1e-6)
    assert torch.equal(output.network_sizes, expected.network_sizes)
    with pytest.raises(InputError, match="either"):
        right_model(pixels, features=[(first, second)])
    with pytest.raises(InputError, match="either"):
        right_model()
    with pytest.raises(InputError, match="at least one pair"):
        right_model(features=[])
    turned = Features(first.keypoints, first.scores, first.descriptors, ResizeMap(ImageSize(9, 9), ImageSize(9, 9), 1))
    with pytest.raises(InputError, match="rotated"):
        right_model(features=[(turned, second)])
    foreign = Features(first.keypoints, first.scores, first.descriptors[:, 1:], first.frame)
    with pytest.raises(InputError, match="the same weights"):
        right_model(features=[(foreign, second)])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (np.zeros((1, 2, 1, 64, 64), np.float32), "not ndarray"),
        ([1, 2], "not list"),
        (torch.zeros(2, 1, 64, 64), r"not \(2, 1, 64, 64\)"),
        (torch.zeros(1, 2, 1, 64, 64, dtype=torch.uint8), "not torch.uint8"),
        (torch.zeros(1, 2, 1, 64, 64, device="meta"), "holds no values"),
    ],
)
def test_what_is_no_pixels_is_refused(bad: object, told: str, right_model: SuperGlueForKeypointMatching) -> None:
    with pytest.raises(InputError, match=told):
        right_model(bad)


def test_a_model_without_values_is_refused(pixels: Tensor) -> None:
    with torch.device("meta"):
        model = SuperGlueForKeypointMatching(SuperGlueConfig())
    with pytest.raises(InputError, match="load its weights first"):
        model(pixels)
    with pytest.raises(InputError, match="load its weights first"):
        model.keypoint_detector(pixels[:, 0])


def test_what_is_no_features_is_refused(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    one = _features(right_model, pixels.flatten(0, 1))[0]
    for bad in ([one, one], [("a", "b")], [(one,)]):
        with pytest.raises(InputError):
            right_model(features=bad)


def test_labels_give_the_papers_loss(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    first, second, third, fourth = _features(right_model, pixels.flatten(0, 1))
    pairs = [(first, second), (third, fourth)]
    output = right_model(features=pairs)
    labels = output.matches.clone()
    good = right_model(features=pairs, labels=labels).loss
    assert good.shape == ()
    wrong = right_model(features=pairs, labels=torch.where(labels >= 0, 0, labels)).loss
    assert 0 < good < wrong
    # Padding does not count, whatever its labels say.
    noisy = torch.where(output.mask > 0, labels, 5)
    assert torch.equal(right_model(features=pairs, labels=noisy).loss, good)
    for shape in ((2, 2, 3), (1, 2, labels.shape[-1])):
        with pytest.raises(InputError, match="labels must be int64 of shape"):
            right_model(features=pairs, labels=torch.zeros(shape, dtype=torch.int64))
    for value in (10_000, -3):
        with pytest.raises(InputError, match="indices"):
            right_model(features=pairs, labels=torch.full_like(labels, value))


def test_the_loss_trains(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    model = SuperGlueForKeypointMatching(right_model.config)
    model.load_state_dict(right_model.state_dict())
    pairs = [tuple(_features(model, pixels[0]))]
    labels = model.eval()(features=pairs).matches
    labels[labels == -1] = -2
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    with torch.enable_grad():
        for _ in range(5):
            loss = model(features=pairs, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert model.bin_score.grad is not None


def test_half_precision(right_model: SuperGlueForKeypointMatching, pixels: Tensor, tmp_path: Path) -> None:
    right_model.save_pretrained(tmp_path / "model")
    model = SuperGlueForKeypointMatching.from_pretrained(tmp_path / "model", dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    output = model(pixels)
    positions = output.keypoints * torch.tensor([160, 120])
    assert output.keypoints.dtype == output.matching_scores.dtype == torch.float32
    # Keypoints stay whole pixels; bfloat16 positions would be off by up to half a pixel at x > 128.
    torch.testing.assert_close(positions, positions.round(), rtol=0, atol=1e-4)
    model.save_pretrained(tmp_path / "half")
    assert SuperGlueConfig.from_pretrained(tmp_path / "half").dtype == "bfloat16"
    assert SuperGlueForKeypointMatching.from_pretrained(tmp_path / "half").dtype == torch.float32
    assert SuperGlueForKeypointMatching.from_pretrained(tmp_path / "half", dtype="auto").dtype == torch.bfloat16
    with pytest.raises(InputError, match="dtype"):
        SuperGlueForKeypointMatching.from_pretrained(tmp_path / "half", dtype="int8")


def test_ours_to_transformers_and_back(
    exact_model: SuperGlueForKeypointMatching, pixels: Tensor, tmp_path: Path
) -> None:
    exact_model.save_pretrained(tmp_path / "ours")
    theirs, report = transformers.SuperGlueForKeypointMatching.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    expected = exact_model(pixels)
    assert torch.equal(theirs(pixels).matches, expected.matches)
    theirs.save_pretrained(tmp_path / "theirs")
    back = SuperGlueForKeypointMatching.from_pretrained(tmp_path / "theirs", transformers_exact=True)
    assert not back.training
    tensors = exact_model.state_dict()
    assert list(back.state_dict()) == list(tensors)
    assert all(torch.equal(value, tensors[name]) for name, value in back.state_dict().items())
    assert torch.equal(back(pixels).matching_scores, expected.matching_scores)


def test_keys_are_those_of_transformers(
    exact_model: SuperGlueForKeypointMatching, reference: transformers.SuperGlueForKeypointMatching
) -> None:
    assert set(exact_model.state_dict()) == set(reference.state_dict())
    assert {name for name, _ in exact_model.named_parameters()} == {name for name, _ in reference.named_parameters()}


def test_the_detector_alone_both_ways(
    exact_model: SuperGlueForKeypointMatching, pixels: Tensor, tmp_path: Path
) -> None:
    exact_model.keypoint_detector.save_pretrained(tmp_path / "ours")
    theirs = transformers.SuperPointForKeypointDetection.from_pretrained(tmp_path / "ours")
    expected = exact_model.keypoint_detector(pixels[0])
    assert torch.equal(theirs(pixels[0]).keypoints, expected.keypoints)
    theirs.save_pretrained(tmp_path / "theirs")
    back = SuperPointForKeypointDetection.from_pretrained(tmp_path / "theirs", transformers_exact=True)
    assert torch.equal(back(pixels[0]).scores, expected.scores)


@pytest.mark.parametrize("folder", [*map(weights.shipped_folder, weights.SHIPPED), BASE])
def test_our_weights_in_transformers(folder: Path, pixels: Tensor) -> None:
    if not folder.exists():
        pytest.skip(f"{folder} is in the repository alone")
    theirs = transformers.SuperGlueForKeypointMatching.from_pretrained(folder)
    ours = SuperGlueForKeypointMatching.from_pretrained(folder, transformers_exact=True)
    expected, output = theirs(pixels), ours(pixels)
    assert (expected.matches > -1).sum() > 50
    assert torch.equal(output.matches, expected.matches)
    torch.testing.assert_close(output.matching_scores, expected.matching_scores, rtol=0, atol=1e-4)


def test_the_face_has_the_networks_weights() -> None:
    networks, model = load(), SuperGlueForKeypointMatching.from_pretrained()
    assert networks.superglue is not None
    tensors = model.state_dict()
    assert all(torch.equal(value, tensors[name]) for name, value in networks.superglue.state_dict().items())
    detector = SuperPointForKeypointDetection.from_pretrained()
    expected = networks.superpoint.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in detector.state_dict().items())


def test_settings_at_loading(tmp_path: Path) -> None:
    model = SuperGlueForKeypointMatching.from_pretrained(matching_threshold=0.5)
    assert model.config.matching_threshold == 0.5
    with pytest.raises(InputError, match="did you mean"):
        SuperGlueForKeypointMatching.from_pretrained(matching_treshold=0.5)
    with pytest.raises(InputError, match="no setting 'device_mapp'"):
        SuperGlueForKeypointMatching.from_pretrained(device_mapp="auto")
    with pytest.raises(InputError, match="not both"):
        SuperGlueForKeypointMatching.from_pretrained(config=model.config, matching_threshold=0.5)
    with pytest.raises(WeightsError, match="do not fit"):
        SuperGlueForKeypointMatching.from_pretrained(gnn_layers_types=["self"])
    with pytest.raises(InputError, match="must equal"):
        SuperGlueForKeypointMatching(SuperGlueConfig(hidden_size=64))


def test_wrong_inputs(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    for wrong in (pixels[0], pixels[:, :1], torch.zeros(1, 3, 3, 64, 64)):
        with pytest.raises(InputError, match="pixel_values must be"):
            right_model(wrong)
    with pytest.raises(InputError, match="at least 8x8"):
        right_model(torch.zeros(1, 2, 3, 7, 64))
    for empty in (torch.zeros(0, 2, 3, 64, 64), torch.zeros(1, 2, 0, 64, 64)):
        with pytest.raises(InputError, match="at least one image"):
            right_model(empty)
    with pytest.raises(InputError, match="floats"):
        right_model(torch.zeros(1, 2, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(InputError, match="labels"):
        right_model.keypoint_detector(pixels[0], labels=torch.zeros(1))
    with pytest.raises(InputError, match="pixel_values must be"):
        right_model.keypoint_detector(pixels)
    assert right_model(pixels, some_future_argument=1).matches.shape[0] == 2  # ignored, as in transformers


def test_flags_fall_back_to_the_configuration(exact_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    config = SuperGlueConfig.from_dict(
        exact_model.config.to_dict(), output_attentions=True, output_hidden_states=True, return_dict=False
    )
    model = SuperGlueForKeypointMatching(config).eval()
    assert len(model(pixels)) == 6
    assert "attentions" not in model(pixels, return_dict=True, output_attentions=False)
