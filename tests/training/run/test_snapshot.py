"""A run in the middle of its training as a model, and its curve."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cyano.checkpoints import load
from cyano.errors import InputError
from cyano.evaluation.suite import Estimators, EvaluationReport, SetResult
from cyano.training.networks.detector import TrainableDetector, fresh_superpoint
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.networks.matcher import TrainableMatcher
from cyano.training.networks.model_folders import save_detector
from cyano.training.run.config import read_config
from cyano.training.run.snapshot import CURVE_FILE, record_curve, take_snapshot
from cyano.training.run.state import StageState, save_state

CONFIG = read_config("minutes")


def checkpoint(folder: Path, module: torch.nn.Module, step: int, seconds: float) -> None:
    save_state(folder, module, torch.optim.AdamW(module.parameters()), StageState(step, seconds))


def test_a_snapshot_is_the_newest_state_of_every_part(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint of a joint stage"):
        take_snapshot(tmp_path, CONFIG)
    detector = fresh_superpoint(CONFIG.superpoint, seed=1)
    checkpoint(tmp_path / "shapes", TrainableDetector(fresh_superpoint(CONFIG.superpoint, 0), descriptors=False), 9, 60)
    checkpoint(tmp_path / "joint-1", TrainableDetector(detector, descriptors=True), 20, 1800)
    early = take_snapshot(tmp_path, CONFIG)
    assert not early.has_matcher
    assert early.seconds == 1860
    matcher = fresh_superglue(CONFIG.superglue, seed=2)
    checkpoint(tmp_path / "matcher-1", TrainableMatcher(matcher, 20), 7, 600)
    late = take_snapshot(tmp_path, CONFIG)
    assert late.stage == "matcher-1 step 7"
    networks = load(late.folder)
    assert all(torch.equal(networks.superpoint.state_dict()[k], v) for k, v in detector.state_dict().items())
    assert all(torch.equal(networks.superglue.state_dict()[k], v) for k, v in matcher.state_dict().items())


def test_the_detector_that_the_matcher_stands_on_counts(tmp_path: Path) -> None:
    """A run that began with a finished detector has no joint stage; another may have trained its detector further."""
    detector, matcher = fresh_superpoint(CONFIG.superpoint, seed=1), fresh_superglue(CONFIG.superglue, seed=2)
    save_detector(tmp_path / "detector", detector)
    checkpoint(tmp_path / "matcher-1", TrainableMatcher(matcher, 20), 7, 600)
    alone = take_snapshot(tmp_path, CONFIG)
    assert (alone.stage, alone.seconds, alone.has_matcher) == ("matcher-1 step 7", 600, True)
    newer = fresh_superpoint(CONFIG.superpoint, seed=3)
    checkpoint(tmp_path / "joint-1", TrainableDetector(newer, descriptors=True), 20, 1800)
    for folder in (alone.folder, take_snapshot(tmp_path, CONFIG).folder):
        found = load(folder).superpoint.state_dict()
        assert all(torch.equal(found[k], v) for k, v in detector.state_dict().items())


def test_the_curve_gets_a_line_for_each_evaluation(tmp_path: Path) -> None:
    checkpoint(
        tmp_path / "joint-1", TrainableDetector(fresh_superpoint(CONFIG.superpoint, 0), descriptors=True), 3, 7200
    )
    snapshot = take_snapshot(tmp_path, CONFIG)
    result = SetResult(
        set_name="fox", kind="pose", method="cyano", num_pairs=1, failures=(), values={"precision": 90.1234},
        auc={"poselib": (1.0, 2.0, 3.456)}, errors={}, residuals=torch.zeros(0).numpy(), names=(), pair_values=(),
        changes={"dark": {"right matches": 58.1236, "precision": 90.0}},
    )  # fmt: skip
    report = EvaluationReport((result,), {}, Estimators(), {"torch": "2"})
    record_curve(tmp_path, snapshot, report)
    record_curve(tmp_path, snapshot, report)
    lines = [json.loads(line) for line in (tmp_path / CURVE_FILE).read_text().splitlines()]
    assert len(lines) == 2
    assert lines[1]["hours"] == 2
    assert lines[1]["sets"][0]["auc"]["poselib"] == [1, 2, 3.46]
    assert lines[1]["sets"][0]["precision"] == 90.123
    assert lines[1]["sets"][0]["changes"] == {"dark": 58.124}


def test_the_settings_are_those_of_the_detector_that_the_matcher_stands_on(tmp_path: Path) -> None:
    """Other weights by --from may have other sizes than the recipe, and other settings."""
    own = replace(
        CONFIG.superpoint, encoder_hidden_sizes=(4, 8, 16, 32), border_removal_distance=9, keypoint_threshold=0.25
    )
    save_detector(tmp_path / "detector", fresh_superpoint(own, seed=1))
    checkpoint(tmp_path / "matcher-1", TrainableMatcher(fresh_superglue(CONFIG.superglue, seed=2), 20), 7, 600)
    assert load(take_snapshot(tmp_path, CONFIG).folder).superpoint.config == own
