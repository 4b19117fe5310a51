from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cyano import weights
from cyano.checkpoints import load, load_folder
from cyano.checkpoints.magicleap import to_original
from cyano.errors import WeightsError
from cyano.hf import SuperGlueConfig
from support.random_weights import SMALL, random_model, small_config


@pytest.fixture
def original(tmp_path: Path) -> Path:
    config = SuperGlueConfig.from_dict(small_config().to_dict(), gnn_layers_types=["self", "cross"])
    superpoint, superglue = to_original(random_model(config, gains=SMALL).state_dict())
    torch.save(superpoint, tmp_path / "superpoint_v1.pth")
    torch.save(superglue, tmp_path / "superglue_indoor.pth")
    return tmp_path


def test_the_default_weights() -> None:
    networks = load()
    assert networks.source == "cyano-small"
    assert networks.licence is not None
    assert networks.superglue is not None
    assert not networks.superpoint.training
    assert not networks.superglue.training
    assert networks.superglue.config.matching_threshold == 0.2


def test_a_folder_and_its_weight_file_are_the_same() -> None:
    folder = weights.default_folder()
    for path in (folder, folder / "model.safetensors"):
        networks = load(path)
        assert networks.superpoint.config.max_keypoints == 1024
        assert networks.licence == ("Apache-2.0" if path == folder else None)  # a folder is known by its digests


def test_an_old_folder_and_its_weight_file_are_the_same(tmp_path: Path) -> None:
    folder = weights.default_folder()
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save(load_folder(folder).tensors(), tmp_path / "pytorch_model.bin")
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        assert load(path).superpoint.config.max_keypoints == 1024


def test_original_files(original: Path) -> None:
    for path in (original, original / "superglue_indoor.pth"):
        networks = load(path)
        assert networks.superglue is not None
        assert networks.superglue.config.gnn_layers_types == ("self", "cross")
    assert load(original / "superpoint_v1.pth").superglue is None


def test_two_matchers_are_a_question(original: Path) -> None:
    (original / "superglue_outdoor.pth").write_bytes((original / "superglue_indoor.pth").read_bytes())
    with pytest.raises(WeightsError, match=r"superglue_indoor\.pth or superglue_outdoor\.pth"):
        load(original)


def test_a_matcher_without_its_detector(original: Path) -> None:
    (original / "superpoint_v1.pth").unlink()
    for path in (original, original / "superglue_indoor.pth"):
        with pytest.raises(WeightsError, match=r"put superpoint_v1\.pth beside it"):
            load(path)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json"):
        load(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(WeightsError, match="is not a model"):
        load(tmp_path / "notes.txt")
