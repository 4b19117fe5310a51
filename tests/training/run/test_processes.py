"""Two processes that torchrun starts train as one with the data of both."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cyano.checkpoints import load
from cyano.errors import InputError
from cyano.progress import NOBODY
from cyano.training.run.config import read_config
from cyano.training.run.loop import train_stage
from cyano.training.run.pipeline import train_matcher
from cyano.training.run.processes import Processes, is_first_process
from cyano.training.run.schedule import Schedule
from cyano.training.run.state import STATE_FILE
from support import line_fit
from support.line_fit import LineFit
from support.photographs import write_photographs
from support.recipes import DETECTOR_AND_MATCHER

CYANO = str(Path(sys.executable).parent / "cyano")


def _by_two(*command: str) -> str:
    """What two processes print."""
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python", "--"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*started, *command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gradients_are_averaged_over_processes(tmp_path: Path) -> None:
    alone = LineFit(ranks=2)
    train_stage(alone, tmp_path / "alone", torch.device("cpu"))
    _by_two(sys.executable, str(Path(line_fit.__file__)), str(tmp_path / "both"))
    both = torch.load(tmp_path / "both" / STATE_FILE, weights_only=True)["model"]
    # The mean of two means is the mean over both batches but for float32 rounding over five steps.
    for name, value in alone.module.state_dict().items():
        assert torch.allclose(both[name], value, atol=1e-6), name


def test_the_whole_of_a_recipe_by_two_processes(tmp_path: Path) -> None:
    """Labels are shared out, the first process alone writes and speaks, and what is done is not done again."""
    images = write_photographs(tmp_path / "images", 5)
    recipe, out = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_text(DETECTOR_AND_MATCHER)
    options = [str(images), "--run", str(out), "--recipe", str(recipe), "--device", "cpu"]
    said = _by_two(CYANO, "train", "detector", *options)
    assert said.count("joint-1: 2 steps") == said.count(f"wrote {out / 'detector'}") == 1
    assert len(list((out / "labels-1").glob("*.npz"))) == 4  # of five photographs one is kept aside
    _by_two(CYANO, "train", "matcher", *options)
    model = load(out / "model").superglue
    assert model is not None
    assert len((out / "matcher-1" / "log.jsonl").read_text().splitlines()) == 1
    _by_two(CYANO, "train", "matcher", *options)
    again = load(out / "model").superglue
    assert again is not None
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_batch_that_cannot_be_shared_is_known_before_the_first_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(DETECTOR_AND_MATCHER)
    config = read_config(recipe)
    odd = replace(config.matcher[0], schedule=replace(config.matcher[0].schedule, batch_size=3))
    config = replace(config, matcher=(*config.matcher, odd))
    monkeypatch.setattr(Processes, "joined", lambda device: Processes(0, 2, 1, device))
    with pytest.raises(InputError, match="batch_size 3 cannot be divided among 2 processes"):
        train_matcher(config, tmp_path, None, tmp_path / "run", torch.device("cpu"), NOBODY)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"RANK": "3"}, True),
        ({"RANK": "0", "WORLD_SIZE": "2"}, True),
        ({"RANK": "1", "WORLD_SIZE": "2"}, False),
    ],
)
def test_who_is_first(environment: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rank alone, which some launchers set, makes no group."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


def test_a_batch_is_shared_and_workers_take_the_cores_that_are_left() -> None:
    schedule = Schedule(steps=1, batch_size=12)
    one, two = (Processes(0, count, cores, torch.device("cpu")) for count, cores in ((1, 2), (2, 1)))
    assert (one.share(schedule).batch_size, one.share(schedule).workers) == (12, 1)
    assert (two.share(schedule).batch_size, two.share(schedule).workers) == (6, 0)
    assert Processes(0, 1, 16, torch.device("cuda")).share(schedule).workers == 4
    assert two.share(Schedule(steps=1, batch_size=2, workers=3)).workers == 3
    with pytest.raises(InputError, match="batch_size 3 cannot be divided among 2 processes"):
        two.share(Schedule(steps=1, batch_size=3))
