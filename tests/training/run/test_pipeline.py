"""The stages in order: which of them go on in a folder that is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cyano.checkpoints.lone_matcher import save_matcher
from cyano.errors import OutputError
from cyano.progress import NOBODY
from cyano.training.networks.detector import fresh_superpoint
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.networks.model_folders import save_detector
from cyano.training.run.config import TrainingConfig, read_config
from cyano.training.run.pipeline import train_detector, train_matcher
from support.photographs import write_photographs
from support.recipes import DETECTOR_AND_MATCHER

CPU = torch.device("cpu")


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    """Two rounds without labels."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(DETECTOR_AND_MATCHER)
    found = read_config(recipe)
    rounds = (replace(found.rounds[0], labels=None, options=replace(found.rounds[0].options, scenes=0.0)),) * 2
    return replace(found, rounds=rounds)


def starts(run: Path, stage: str) -> list[str | None]:
    return [json.loads((run / f"{stage}-{number}" / "stage.json").read_text())["start"] for number in (1, 2)]


def test_a_detector_from_other_weights_is_another_run(config: TrainingConfig, tmp_path: Path) -> None:
    images, run = write_photographs(tmp_path / "images", 3), tmp_path / "run"
    for seed in (1, 2):
        save_detector(tmp_path / f"start{seed}", fresh_superpoint(config.superpoint, seed))

    def train(seed: int) -> Path:
        return train_detector(config, images, run, CPU, NOBODY, str(tmp_path / f"start{seed}"))

    train(1)
    with pytest.raises(OutputError, match=r"joint-1 was begun with another configuration \(start: "):
        train(2)
    first, second = starts(run, "joint")
    train(1)  # only loads
    assert None not in (first, second)
    assert [first, second] == starts(run, "joint")
    assert first != second


def test_a_matcher_from_other_weights_is_another_run(config: TrainingConfig, tmp_path: Path) -> None:
    images, run = write_photographs(tmp_path / "images", 3), tmp_path / "run"
    matcher = config.matcher[0]
    phase = replace(matcher, options=replace(matcher.options, scenes=0.0))
    sizes = replace(config.superglue, input_size=128, keypoint_extras=3)
    sift = TrainingConfig(seed=0, superglue=sizes, matcher=(phase, phase), features="sift", validation=0.2)
    for seed in (1, 2):
        save_matcher(tmp_path / f"start{seed}", fresh_superglue(sizes, seed), "sift")
    train_matcher(sift, images, None, tmp_path / "new", CPU, NOBODY)
    with pytest.raises(OutputError, match=r"matcher-1 was begun with another configuration \(start: None -> "):
        train_matcher(sift, images, tmp_path / "start1", tmp_path / "new", CPU, NOBODY)
    first, second = starts(tmp_path / "new", "matcher")
    assert first is None
    assert second is not None
    train_matcher(sift, images, tmp_path / "start1", run, CPU, NOBODY)
    train_matcher(sift, images, tmp_path / "start1", run, CPU, NOBODY)  # only loads
    with pytest.raises(OutputError, match=r"matcher-1 was begun with another configuration \(start: "):
        train_matcher(sift, images, tmp_path / "start2", run, CPU, NOBODY)
