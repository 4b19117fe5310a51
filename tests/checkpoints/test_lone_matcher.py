"""A matcher without a detector: its folder comes back as it was, and says what it is where a detector is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from cyano.checkpoints import Checkpoint, load, load_folder, load_matcher, save_folder, save_matcher
from cyano.errors import OutputError, WeightsError
from cyano.hf import AutoModel
from support.networks import SMALL_SUPERGLUE, SMALL_SUPERPOINT, random_keypoints, random_superglue, random_superpoint

CONFIG = replace(SMALL_SUPERGLUE, input_size=20, keypoint_extras=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_matcher(tmp_path / "model", random_superglue(CONFIG), "sift")
    return tmp_path / "model"


def test_round_trip(folder: Path) -> None:
    matcher = load_matcher(folder, "sift")
    assert (matcher.features, matcher.source) == ("sift", str(folder))
    assert matcher.superglue.config == CONFIG
    sets = [random_keypoints(9, 20, seed=side)._replace(extras=torch.randn(1, 9, 2)) for side in (0, 1)]
    with torch.no_grad():
        assert torch.equal(matcher.superglue(*sets), random_superglue(CONFIG)(*sets))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert load_matcher(folder / "model.safetensors", "sift").superglue.config == CONFIG


def test_where_a_detector_is_needed_the_message_says_what_it_is(folder: Path) -> None:
    for loader in (load, load_folder):
        with pytest.raises(WeightsError, match=r"matcher of 'sift' features and no detector.*sift-superglue"):
            loader(folder)
    with pytest.raises(WeightsError, match="cyano-superglue"):
        AutoModel.from_pretrained(folder)
    with pytest.raises(ValueError, match="cyano-superglue"):  # rather than a detector with random weights
        transformers.AutoConfig.from_pretrained(folder)


def test_other_features_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no matcher of 'disk' features, but of 'sift'"):
        load_matcher(folder, "disk")
    with pytest.raises(WeightsError, match="but of 'superpoint'"):
        load_matcher(None, "sift")
    with pytest.raises(OutputError, match="another model"):
        save_matcher(folder, random_superglue(CONFIG), "disk")
    save_matcher(folder, random_superglue(CONFIG), "disk", overwrite=True)
    assert load_matcher(folder, "disk").features == "disk"


def test_damage_is_named(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in tensors.items() if name != "bin_score"}, folder / "model.safetensors")
    with pytest.raises(WeightsError, match="1 missing: bin_score"):
        load_matcher(folder, "sift")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "input_size": -1}))
    with pytest.raises(WeightsError, match="input_size must be at least 0"):
        load_matcher(folder, "sift")


def test_a_detector_takes_no_projection_beside_it(tmp_path: Path) -> None:
    config = replace(SMALL_SUPERGLUE, input_size=32)
    tensors = random_superpoint().state_dict(), random_superglue(config).state_dict()
    save_folder(tmp_path, Checkpoint(SMALL_SUPERPOINT, tensors[0], config, tensors[1]))
    with pytest.raises(WeightsError, match="other features than SuperPoint's"):
        load(tmp_path)


def test_the_matcher_of_a_whole_model_is_of_superpoints_features() -> None:
    found, whole = load_matcher(None, "superpoint"), load(None)
    assert whole.superglue is not None
    for name, tensor in whole.superglue.state_dict().items():
        assert torch.equal(found.superglue.state_dict()[name], tensor)
    assert not found.superglue.training
