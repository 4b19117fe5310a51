"""A matcher of SIFT keypoints: projection and extras are trained, and it learns to beat the descriptors alone."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cyano.checkpoints import load_matcher
from cyano.errors import InputError
from cyano.models.superglue import SuperGlueConfig
from cyano.progress import NOBODY
from cyano.training.data.features import SiftExtractor
from cyano.training.data.photographs import Photographs
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.run.config import TrainingConfig, read_config
from cyano.training.run.pipeline import train_detector, train_matcher
from cyano.training.run.schedule import Schedule
from cyano.training.run.snapshot import take_snapshot
from cyano.training.run.state import StageState, save_state
from cyano.training.stages.matcher import MatcherStage, PairOptions
from support.overfitting import mutual_nearest, overfit
from support.photographs import write_photographs

CONFIG = SuperGlueConfig(
    hidden_size=32,
    keypoint_encoder_sizes=(16,),
    gnn_layers_types=("self", "cross", "self", "cross"),
    num_attention_heads=2,
    sinkhorn_iterations=20,
    input_size=128,
    keypoint_extras=3,
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> MatcherStage:
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), 6)
    return MatcherStage(
        fresh_superglue(CONFIG, seed=0),
        SiftExtractor(48),
        Photographs(sorted(folder.glob("*.png"))),
        PairOptions(height=120, width=160, keypoints=48, scenes=0, perspective=0.1, any_rotation=0.5),
        Schedule(steps=10, batch_size=4, bfloat16=False),
        seed=0,
    )


def test_features_are_always_as_many_and_a_function_of_the_generator() -> None:
    extract = pickle.loads(pickle.dumps(SiftExtractor(40)))
    textured = np.random.default_rng(0).uniform(size=(64, 80)).astype(np.float32)
    for image in (textured, np.full((64, 80), 0.5, np.float32)):
        first, again = (extract(image, np.random.default_rng(3)) for _ in range(2))
        assert all(torch.equal(first[name], again[name]) for name in first)
        shapes = {name: tuple(value.shape) for name, value in first.items()}
        assert shapes.pop("scores") == (40,)
        assert shapes == {"keypoints": (40, 2), "positions": (40, 2), "descriptors": (40, 128), "extras": (40, 3)}
        assert all(value.isfinite().all() for value in first.values())


def test_projection_and_extras_reach_the_loss(stage: MatcherStage) -> None:
    superglue = fresh_superglue(CONFIG, seed=1)
    with torch.no_grad():  # zero layers at the start pass no gradient to what lies before them
        for parameter in superglue.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    own = MatcherStage(superglue, stage._extract, stage._views.photographs, stage.options, stage.schedule, 0)
    loss, _ = own.loss(own.module, stage.batch(np.random.default_rng(3)))
    loss.backward()
    assert float(superglue.input_projection.weight.grad.abs().min()) > 0
    columns = superglue.keypoint_encoder.encoder[0].linear.weight.grad.abs().amax(0)
    assert columns.shape == (6,)
    assert float(columns.min()) > 0
    slow = {id(parameter) for parameter in own.slow_parameters()}
    assert {id(parameter) for parameter in superglue.input_projection.parameters()} < slow


def test_overfitting_beats_mutual_nearest_neighbours(stage: MatcherStage) -> None:
    batch = stage.batch(np.random.default_rng(2))
    losses, figures = overfit(stage, batch)
    assert losses[-1] < 0.5 * losses[0]
    assert float(figures["precision"]) > mutual_nearest(batch) + 0.2
    assert float(figures["recall"]) > 0.6


def recipe(**changes: object) -> TrainingConfig:
    return replace(read_config("sift"), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"superglue": replace(CONFIG, input_size=64)}, "input_size has to be 128"),
        ({"superglue": replace(CONFIG, input_size=0)}, "input_size has to be 128"),
        ({"superglue": replace(CONFIG, keypoint_extras=0)}, "keypoint_extras 3"),
        ({"rounds": read_config("minutes").rounds}, "which SIFT does not use"),
        ({"shapes": read_config("minutes").shapes}, "which SIFT does not use"),
        ({"features": "superpoint"}, "not for SuperPoint"),
    ],
)
def test_mistakes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe(**changes)


def test_descriptors_of_the_right_size_need_no_projection() -> None:
    config = recipe(superglue=replace(CONFIG, hidden_size=128, input_size=0))
    assert not list(fresh_superglue(config.superglue, 0).input_projection.parameters())


def test_a_detector_needs_its_stages(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no \\[\\[rounds\\]\\]"):
        train_detector(read_config("sift"), tmp_path, tmp_path, torch.device("cpu"), NOBODY)
    config = replace(read_config("minutes"), shapes=None)
    images = write_photographs(tmp_path / "images", 3)
    with pytest.raises(InputError, match="no \\[shapes\\]"):
        train_detector(config, images, tmp_path / "run", torch.device("cpu"), NOBODY)


def test_sift_takes_no_detector(tmp_path: Path) -> None:
    images = write_photographs(tmp_path / "images", 3)
    with pytest.raises(InputError, match="no detector can be given"):
        train_matcher(
            read_config("sift"), images, None, tmp_path / "run", torch.device("cpu"), NOBODY, detector="cyano-small"
        )


def test_a_snapshot_of_its_run(stage: MatcherStage, tmp_path: Path) -> None:
    config = recipe(superglue=CONFIG)
    with pytest.raises(InputError, match="no checkpoint of a matcher"):
        take_snapshot(tmp_path, config)
    (tmp_path / "matcher-1").mkdir()
    save_state(tmp_path / "matcher-1", stage.module, torch.optim.SGD(stage.module.parameters()), StageState(7, 60))
    snapshot = take_snapshot(tmp_path, config)
    assert (snapshot.stage, snapshot.seconds) == ("matcher-1 step 7", 60)
    found = load_matcher(snapshot.folder, "sift").superglue.state_dict()
    assert all(torch.equal(found[name], value) for name, value in stage.superglue.state_dict().items())
