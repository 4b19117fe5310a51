from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cyano.adapters.original import Matching, SuperGlue, SuperPoint
from cyano.checkpoints.loading import Networks, load
from cyano.checkpoints.magicleap import to_original
from cyano.errors import InputError, WeightsError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult

CONFIG = {"superpoint": {"max_keypoints": 200}}


@pytest.fixture(scope="module")
def matching() -> Matching:
    return Matching(CONFIG).eval().to("cpu")


def _same(found: dict[str, Tensor], expected: PairResult, row: int = 0) -> None:
    """Bit for bit, so that there is nothing to tolerate."""
    count0, count1 = len(expected.image0.keypoints), len(expected.image1.keypoints)
    assert np.array_equal(found["matches0"][row, :count0].numpy(), expected.matches.matches0)
    assert np.array_equal(found["matches1"][row, :count1].numpy(), expected.matches.matches1)
    assert np.array_equal(found["matching_scores0"][row, :count0].numpy(), expected.matches.scores0)
    assert np.array_equal(found["matching_scores1"][row, :count1].numpy(), expected.matches.scores1)
    assert (found["matches0"][row, count0:] == -1).all()
    assert (found["matching_scores0"][row, count0:] == 0).all()


def test_keys_types_and_shapes(matching: Matching, matcher: Matcher, tensors: list[Tensor]) -> None:
    found = matching({"image0": tensors[0], "image1": tensors[1]})
    sides = {f"{key}{side}" for key in ("keypoints", "scores", "descriptors") for side in "01"}
    assert set(found) == sides | {"matches0", "matches1", "matching_scores0", "matching_scores1"}
    assert isinstance(found["keypoints0"], list)
    assert isinstance(found["scores0"], tuple)
    assert isinstance(found["descriptors0"], list)
    assert found["keypoints0"][0].shape == (200, 2)
    assert found["descriptors0"][0].shape == (128, 200)
    assert found["matches0"].shape == found["matching_scores0"].shape == (1, 200)
    assert found["matches0"].dtype == torch.int64
    expected = matcher.match(tensors[0][0], tensors[1][0])
    assert len(expected) > 50
    _same(found, expected)
    assert np.array_equal(found["keypoints0"][0].numpy(), expected.image0.keypoints)
    assert np.array_equal(found["keypoints1"][0].numpy(), expected.image1.keypoints)


def test_a_batch_of_unequal_counts_is_its_pairs(matching: Matching, matcher: Matcher, tensors: list[Tensor]) -> None:
    """One of the images has no keypoint at all."""
    images0, images1 = torch.cat([tensors[0], tensors[3]]), torch.cat([tensors[1], tensors[2]])
    found = matching({"image0": images0, "image1": images1})
    assert [len(each) for each in found["keypoints0"]] == [200, 0]
    for row in range(2):
        _same(found, matcher.match(images0[row], images1[row]), row)


def test_a_list_of_images_of_unequal_sizes(matching: Matching, matcher: Matcher, tensors: list[Tensor]) -> None:
    small = tensors[1][..., :120, :144]
    found = matching({"image0": [tensors[0], small], "image1": [small[0], tensors[2][0]]})
    _same(found, matcher.match(tensors[0][0], small[0]), 0)
    _same(found, matcher.match(small[0], tensors[2][0]), 1)


def test_a_video_keeps_what_it_has_of_the_first_frame(
    matching: Matching, matcher: Matcher, tensors: list[Tensor]
) -> None:
    first = matching.superpoint({"image": tensors[0]})
    last = {**{f"{key}0": value for key, value in first.items()}, "image0": tensors[0]}
    found = matching({**last, "image1": tensors[1]})
    assert "keypoints0" not in found
    expected = matcher.match(tensors[0][0], tensors[1][0])
    _same(found, expected)
    assert np.array_equal(found["keypoints1"][0].numpy(), expected.image1.keypoints)


def test_superglue_takes_what_superpoint_gives(
    networks: Networks, options: MatcherOptions, tensors: list[Tensor]
) -> None:
    detector, glue = SuperPoint(CONFIG["superpoint"]), SuperGlue()
    data = {"image0": tensors[0], "image1": tensors[1]}
    for side in "01":
        data |= {f"{key}{side}": value for key, value in detector({"image": data[f"image{side}"]}).items()}
    stacked = {key: torch.stack(list(value)) if not isinstance(value, Tensor) else value for key, value in data.items()}
    expected = Matcher(networks, replace(options, align=False)).match(tensors[0][0], tensors[1][0])
    _same(glue(data), expected)  # keypoints that were given stay where they are: no alignment
    _same(glue(stacked), expected)


def test_exact_keeps_scores_of_those_that_are_no_match(
    networks: Networks, options: MatcherOptions, tensors: list[Tensor]
) -> None:
    found = Matching({**CONFIG, "superglue": {"match_threshold": 0.6}}, exact=True)(
        {"image0": tensors[0], "image1": tensors[1]}
    )
    whole = replace(options, align=False, subpixel=False, match_threshold=0.0)
    every = Matcher(networks, whole).match(tensors[0][0], tensors[1][0]).matches
    assert np.array_equal(found["matching_scores0"][0].numpy(), every.scores0)
    assert np.array_equal(found["matches0"][0].numpy(), np.where(every.scores0 > 0.6, every.matches0, -1))
    assert ((found["matches0"] < 0) & (found["matching_scores0"] > 0)).any()
    assert (found["keypoints0"][0] == found["keypoints0"][0].round()).all()


def test_borders_are_those_that_are_asked_for(tensors: list[Tensor]) -> None:
    keypoints = SuperPoint({"remove_borders": 30})({"image": tensors[0]})["keypoints"][0]
    # Sub-pixel refinement moves a keypoint by less than one pixel.
    assert keypoints.min() > 29
    assert (keypoints < torch.tensor([200 - 29, 160 - 29])).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"superpoint": {"nms_radios": 3}}, "did you mean 'nms_radius'"),
        ({"superglu": {}}, "did you mean 'superglue'"),
        ({"superpoint": {"remove_borders": -1}}, "border"),
        ({"superglue": {"descriptor_dim": 256}}, "descriptor_dim of these weights is 128"),
        ({"superglue": {"match_threshold": 3.0}}, "match_threshold"),
    ],
)
def test_wrong_configurations(config: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Matching(config)


def test_the_original_files_are_found_by_their_names(
    networks: Networks, tensors: list[Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the original's form where its programs keep them, here with Cyano's own parameters."""
    assert networks.superglue is not None
    tensors_of = {f"keypoint_detector.{name}": value for name, value in networks.superpoint.state_dict().items()}
    superpoint, superglue = to_original(tensors_of | networks.superglue.state_dict())
    folder = tmp_path / "models/weights"
    folder.mkdir(parents=True)
    torch.save(superpoint, folder / "superpoint_v1.pth")
    torch.save(superglue, folder / "superglue_outdoor.pth")
    monkeypatch.chdir(tmp_path)
    matching = Matching({**CONFIG, "superglue": {"weights": "outdoor"}})
    found = matching({"image0": tensors[0], "image1": tensors[1]})
    options = MatcherOptions(resize=ResizeRule.none(), max_keypoints=200)
    straight = Matcher(load(folder / "superglue_outdoor.pth"), options)
    _same(found, straight.match(tensors[0][0], tensors[1][0]))


def test_the_original_weights_are_asked_for_where_they_should_be() -> None:
    with pytest.raises(WeightsError, match=r"models/weights/superglue_outdoor\.pth is missing"):
        Matching({"superglue": {"weights": "outdoor"}})


def test_wrong_data(matching: Matching, tensors: list[Tensor]) -> None:
    with pytest.raises(InputError, match="'image1' is missing"):
        matching({"image0": tensors[0]})
    with pytest.raises(InputError, match="cannot be matched with"):
        matching({"image0": tensors[0], "image1": torch.cat(tensors[:2])})
    with pytest.raises(InputError, match="image0 is a tensor"):
        matching({"image0": tensors[0][0, 0], "image1": tensors[1]})
    with pytest.raises(InputError, match="at least one pair"):
        matching({"image0": [], "image1": []})
    with pytest.raises(InputError, match="'scores0' is missing"):
        matching({"keypoints0": [], "image0": tensors[0], "image1": tensors[1]})
