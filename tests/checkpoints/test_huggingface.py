from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cyano.checkpoints import load_folder, save_folder
from cyano.checkpoints.huggingface import read_config
from cyano.errors import OutputError, WeightsError
from cyano.hf import SuperGlueForKeypointMatching, SuperPointForKeypointDetection
from support.random_weights import SMALL, random_model, small_config


@pytest.fixture(scope="module")
def model() -> SuperGlueForKeypointMatching:
    return random_model(small_config(), gains=SMALL)


@pytest.fixture
def folder(model: SuperGlueForKeypointMatching, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def _edit(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def _edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_round_trip(model: SuperGlueForKeypointMatching, folder: Path, tmp_path: Path) -> None:
    checkpoint = load_folder(folder)
    assert checkpoint.superglue == model.config.native()
    assert checkpoint.superpoint == model.config.detector.native()
    save_folder(tmp_path / "again", checkpoint)
    again = load_folder(tmp_path / "again").tensors()
    expected = model.state_dict()
    assert again.keys() == expected.keys()
    assert all(torch.equal(again[name], expected[name]) for name in expected)
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]


def test_a_detector_alone(model: SuperGlueForKeypointMatching, tmp_path: Path) -> None:
    model.keypoint_detector.save_pretrained(tmp_path)
    checkpoint = load_folder(tmp_path)
    assert checkpoint.superglue is None
    assert checkpoint.superglue_tensors is None
    assert checkpoint.superpoint_tensors.keys() == model.keypoint_detector.state_dict().keys()
    assert isinstance(SuperPointForKeypointDetection.from_pretrained(tmp_path), SuperPointForKeypointDetection)
    with pytest.raises(WeightsError, match="has no matcher"):
        SuperGlueForKeypointMatching.from_pretrained(tmp_path, config=model.config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bin_score"), "1 missing: bin_score"),
        (lambda t: t.pop("keypoint_detector.encoder.conv_blocks.0.conv_a.bias"), "1 missing: keypoint_detector"),
        (lambda t: t.update(extra=torch.ones(1)), "1 unexpected: extra"),
        (lambda t: t.update(bin_score=torch.ones(1)), r"bin_score is float32 \(1,\) instead of float32 \(\)"),
        (lambda t: t.update(bin_score=torch.tensor(1)), "bin_score is int64"),
    ],
)
def test_tensors_that_do_not_fit(folder: Path, change: Callable[[dict[str, Tensor]], object], message: str) -> None:
    _edit(folder, change)
    with pytest.raises(WeightsError, match=message):
        load_folder(folder)


def test_all_problems_are_in_one_message(folder: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        del tensors["bin_score"]
        tensors["extra"] = torch.ones(1)
        tensors["final_projection.final_proj.bias"] = torch.ones(3)

    _edit(folder, change)
    with pytest.raises(WeightsError, match=r"missing.*unexpected.*of another kind.*same model"):
        load_folder(folder)


def test_counters_may_be_missing(folder: Path) -> None:
    _edit(folder, lambda t: [t.pop(name) for name in list(t) if name.endswith("num_batches_tracked")])
    assert load_folder(folder).tensors()["gnn.layers.0.mlp.0.batch_norm.num_batches_tracked"] == 0


def test_a_uniform_prefix(folder: Path, model: SuperGlueForKeypointMatching) -> None:
    def change(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            tensors[f"superglue.{name}"] = tensors.pop(name)

    _edit(folder, change)
    assert load_folder(folder).tensors().keys() == model.state_dict().keys()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_load_as_float32(folder: Path, dtype: torch.dtype) -> None:
    _edit(folder, lambda t: t.update({k: v.to(dtype) for k, v in t.items() if v.is_floating_point()}))
    tensors = load_folder(folder).tensors()
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32, torch.int64}


def test_a_pickled_file_of_old(folder: Path, model: SuperGlueForKeypointMatching) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    assert torch.equal(load_folder(folder).tensors()["bin_score"], model.bin_score.detach())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "model_type 'bert'"),
        ({"model_type": ["superglue"]}, "model_type"),
        ({"keypoint_detector_config": {"model_type": "disk"}}, "must be a superpoint"),
        ({"keypoint_detector_config": [1]}, "keypoint_detector_config"),
        ({"hidden_size": 64}, "channels"),
        ({"num_attention_heads": 5}, "multiple"),
        ({"sinkhorn_iteration": 5}, "did you mean 'sinkhorn_iterations'"),
        ({"gnn_layers_types": ["self"]}, "unexpected"),
    ],
)
def test_configurations_that_do_not_fit(folder: Path, changes: dict[str, object], message: str) -> None:
    _edit_config(folder, **changes)
    with pytest.raises(WeightsError, match=message):
        load_folder(folder)


def test_incomplete_folders(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="no weight file"):
        load_folder(folder)
    (folder / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"no config\.json"):
        read_config(folder)


def test_another_model_is_not_overwritten(folder: Path) -> None:
    other = random_model(small_config(), seed=1, gains=SMALL)
    before = (folder / "model.safetensors").read_bytes()
    other.config.sinkhorn_iterations = 7
    with pytest.raises(OutputError, match="holds another model"):
        other.save_pretrained(folder)
    assert (folder / "model.safetensors").read_bytes() == before
    other.save_pretrained(folder, overwrite=True)
    assert load_folder(folder).superglue == other.config.native()


def test_a_detector_over_a_matcher_brings_its_own_processor(folder: Path, model: SuperGlueForKeypointMatching) -> None:
    model.keypoint_detector.save_pretrained(folder, overwrite=True)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    assert settings["image_processor_type"] == "SuperPointImageProcessor"
    assert load_folder(folder).superglue is None


def test_the_same_configuration_is_updated_and_other_files_stay(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    (folder / "preprocessor_config.json").write_text('{"do_resize": false}')
    other = random_model(small_config(), seed=1, gains=SMALL)
    other.save_pretrained(folder)
    assert torch.equal(load_folder(folder).tensors()["bin_score"], other.bin_score.detach())
    assert (folder / "README.md").read_text() == "mine"
    assert json.loads((folder / "preprocessor_config.json").read_text()) == {"do_resize": False}


def test_a_failed_save_leaves_no_trace(
    model: SuperGlueForKeypointMatching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        model.save_pretrained(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way(model: SuperGlueForKeypointMatching, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        model.save_pretrained(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        model.save_pretrained(tmp_path / "file" / "below")
