"""The original's names, checked against the table of tensor names and by matching with converted weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cyano.checkpoints import magicleap
from cyano.checkpoints.magicleap import from_original, load_files, to_original
from cyano.errors import WeightsError
from cyano.hf import SuperGlueConfig, SuperGlueForKeypointMatching
from support.random_weights import SMALL, pixel_values, random_model, small_config, stereo_pair


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return pixel_values(stereo_pair(120, 160))


@pytest.fixture(scope="module")
def model(pixels: Tensor) -> SuperGlueForKeypointMatching:
    config = SuperGlueConfig.from_dict(small_config().to_dict(), gnn_layers_types=["self", "cross"] * 2)
    return random_model(config, gains=SMALL, pixels=pixels)


@pytest.fixture
def folder(model: SuperGlueForKeypointMatching, tmp_path: Path) -> Path:
    """Files as the original's, with the model's weights."""
    superpoint, superglue = to_original(model.state_dict())
    torch.save(superpoint, tmp_path / "superpoint_v1.pth")
    torch.save(superglue, tmp_path / "superglue_outdoor.pth")
    return tmp_path


def test_names_and_shapes_of_the_original() -> None:
    # From the original files: 339 tensors of the matcher, 24 of the detector.
    full = SuperGlueForKeypointMatching(SuperGlueConfig())
    superpoint, superglue = to_original(full.state_dict())
    assert (len(superpoint), len(superglue)) == (24, 339)
    expected = {
        "bin_score": (),
        "kenc.encoder.0.weight": (32, 3, 1),
        "kenc.encoder.1.running_var": (32,),
        "kenc.encoder.9.weight": (256, 128, 1),
        "kenc.encoder.10.num_batches_tracked": (),
        "kenc.encoder.12.bias": (256,),
        "gnn.layers.17.attn.proj.2.weight": (256, 256, 1),
        "gnn.layers.0.attn.merge.weight": (256, 256, 1),
        "gnn.layers.3.mlp.0.weight": (512, 512, 1),
        "gnn.layers.3.mlp.1.weight": (512,),
        "gnn.layers.3.mlp.3.weight": (256, 512, 1),
        "final_proj.weight": (256, 256, 1),
    }
    assert {name: tuple(superglue[name].shape) for name in expected} == expected
    detector = {"conv1a.weight": (64, 1, 3, 3), "conv4b.bias": (128,), "convPb.weight": (65, 256, 1, 1)}
    assert {name: tuple(superpoint[name].shape) for name in detector} == detector
    assert "convDa.weight" in superpoint


def test_heads_are_interleaved_in_the_original() -> None:
    # Channel j of head-major order is channel (j % d) * heads + j // d there; written out for 8 channels, 2 heads.
    there = torch.arange(8.0)
    here = from_original({}, {"gnn.layers.0.attn.proj.0.bias": there}, heads=2)
    assert here["gnn.layers.0.attention.self.query.bias"].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    merge = from_original({}, {"gnn.layers.0.attn.merge.weight": there.expand(3, 8)[..., None]}, heads=2)
    assert merge["gnn.layers.0.attention.output.dense.weight"][0].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    bias = from_original({}, {"gnn.layers.0.attn.merge.bias": there}, heads=2)
    assert bias["gnn.layers.0.attention.output.dense.bias"].tolist() == there.tolist()


def test_both_ways_is_the_identity(model: SuperGlueForKeypointMatching) -> None:
    tensors = model.state_dict()
    back = from_original(*to_original(tensors))
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


def _matched(model: SuperGlueForKeypointMatching, pixels: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        output = model(pixels)
    return output.matches, output.matching_scores


def test_original_files_match_as_the_others_do(
    folder: Path, model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    settings = {"matching_threshold": 0.0, "sinkhorn_iterations": 30}  # the files do not hold them
    loaded = SuperGlueForKeypointMatching.from_pretrained(folder, **settings)
    matches, scores = _matched(loaded, pixels)
    expected_matches, expected_scores = _matched(model, pixels)
    assert (expected_matches > -1).sum() > 100
    assert torch.equal(matches, expected_matches)
    assert torch.equal(scores, expected_scores)


def test_the_order_of_heads_matters(
    folder: Path, model: SuperGlueForKeypointMatching, pixels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it forgotten, the test above would fail."""
    monkeypatch.setattr(magicleap, "_head_axis", lambda *_: None)
    loaded = SuperGlueForKeypointMatching.from_pretrained(folder, matching_threshold=0.0, sinkhorn_iterations=30)
    matches, _ = _matched(loaded, pixels)
    expected, _ = _matched(model, pixels)
    assert not torch.equal(matches, expected)


def test_sizes_come_from_the_tensors(folder: Path) -> None:
    checkpoint = load_files(folder / "superpoint_v1.pth", folder / "superglue_outdoor.pth")
    assert checkpoint.superpoint.encoder_hidden_sizes == (8, 8, 16, 16)
    assert checkpoint.superglue is not None
    assert checkpoint.superglue.keypoint_encoder_sizes == (8, 16)
    assert checkpoint.superglue.gnn_layers_types == ("self", "cross", "self", "cross")
    assert checkpoint.superglue.matching_threshold == 0.2  # the original library's default


def test_counters_may_be_missing(folder: Path) -> None:
    path = folder / "superglue_outdoor.pth"
    tensors = torch.load(path, weights_only=True)
    torch.save({k: v for k, v in tensors.items() if "num_batches" not in k}, path)
    assert load_files(folder / "superpoint_v1.pth", path).superglue is not None


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_other_tensors_are_refused(folder: Path, change: str) -> None:
    path = folder / "superglue_outdoor.pth"
    tensors = torch.load(path, weights_only=True)
    if change == "missing":
        del tensors["gnn.layers.1.attn.proj.0.weight"]
    elif change == "unexpected":
        tensors["extra.weight"] = torch.ones(1)
    else:
        tensors["gnn.layers.1.mlp.0.weight"] = torch.ones(3, 3, 1)
    torch.save(tensors, path)
    with pytest.raises(WeightsError, match="do not fit"):
        load_files(folder / "superpoint_v1.pth", path)


def test_swapped_files_are_refused(folder: Path) -> None:
    with pytest.raises(WeightsError, match="not the original's tensors"):
        load_files(folder / "superglue_outdoor.pth", folder / "superpoint_v1.pth")
