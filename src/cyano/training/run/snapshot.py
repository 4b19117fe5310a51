"""A running training as a model folder, and its numbers against the hours that it has taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cyano.atomic import write_atomically
from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.huggingface import load_folder, save_folder
from cyano.checkpoints.lone_matcher import save_matcher
from cyano.errors import InputError
from cyano.evaluation.suite import EvaluationReport, SetResult
from cyano.models.superglue import SuperGlue
from cyano.training.run.config import TrainingConfig
from cyano.training.run.state import STATE_FILE, read_state

__all__ = ["CURVE_FILE", "Snapshot", "record_curve", "take_snapshot"]

CURVE_FILE = "curve.jsonl"
DETECTOR_FOLDER = "detector"


@dataclass(frozen=True)
class Snapshot:
    """A model made from the newest checkpoints of a run.

    Attributes:
        folder: its model folder.
        has_matcher: whether it holds a matcher; else it is a detector's.
        stage: the newest stage, with its step.
        seconds: training time of all stages so far.
    """

    folder: Path
    has_matcher: bool
    stage: str
    seconds: float


def take_snapshot(run: Path, config: TrainingConfig) -> Snapshot:
    """Write the newest state of a run as a model folder, `run`/snapshot; the training may go on meanwhile.

    Raises:
        InputError: there is no checkpoint with descriptors yet.
    """
    if config.features == "sift":
        return _lone_snapshot(run, config)
    joints = _checkpoints(run, "joint-", len(config.rounds))
    matchers = _checkpoints(run, "matcher-", len(config.matcher))
    if matchers and (run / DETECTOR_FOLDER).is_dir():  # a joint stage may have gone on since
        detector = load_folder(run / DETECTOR_FOLDER)
    elif joints:
        detector = Checkpoint(config.superpoint, _tensors(joints[-1][1], "superpoint."))
    else:
        raise InputError(f"{run} has no checkpoint of a joint stage or a matcher yet; evaluate it later")
    matcher = _tensors(matchers[-1][1], "superglue.") if matchers else None
    superglue = config.superglue if matcher is not None else None
    checkpoint = Checkpoint(detector.superpoint, detector.superpoint_tensors, superglue, matcher)
    save_folder(run / "snapshot", checkpoint, overwrite=True)
    name, newest = (matchers or joints)[-1]
    seconds = sum(float(state["seconds"]) for _, state in _checkpoints(run, "shapes", 1) + joints + matchers)
    return Snapshot(run / "snapshot", matcher is not None, f"{name} step {newest['step']}", seconds)


def _lone_snapshot(run: Path, config: TrainingConfig) -> Snapshot:
    """The newest state of a matcher without a detector."""
    matchers = _checkpoints(run, "matcher-", len(config.matcher))
    if not matchers:
        raise InputError(f"{run} has no checkpoint of a matcher yet; evaluate it later")
    name, newest = matchers[-1]
    superglue = SuperGlue(config.superglue)
    superglue.load_state_dict(_tensors(newest, "superglue."))
    save_matcher(run / "snapshot", superglue, config.features, overwrite=True)
    seconds = sum(float(state["seconds"]) for _, state in matchers)
    return Snapshot(run / "snapshot", has_matcher=True, stage=f"{name} step {newest['step']}", seconds=seconds)


def _checkpoints(run: Path, prefix: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The states of the stages of this kind that have one, in order."""
    names = [prefix] if not prefix.endswith("-") else [f"{prefix}{number}" for number in range(1, count + 1)]
    paths = [(name, run / name / STATE_FILE) for name in names]
    return [(name, read_state(path)) for name, path in paths if path.exists()]


def _tensors(state: dict[str, Any], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state["model"].items() if name.startswith(prefix)}


def record_curve(run: Path, snapshot: Snapshot, report: EvaluationReport) -> None:
    """Add the numbers of a snapshot to the run's curve: a line of JSON for each evaluation."""
    path = run / CURVE_FILE
    line = {
        "hours": round(snapshot.seconds / 3600, 3),
        "stage": snapshot.stage,
        "versions": dict(report.versions),
        "sets": [
            {
                "set": result.set_name,
                "method": result.method,
                "auc": _rounded(result.auc),
                **_rounded(result.values),
                **({"changes": _right_matches(result)} if result.changes else {}),
            }
            for result in report.results
        ],
    }
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_atomically(path, (before + json.dumps(line) + "\n").encode())


def _right_matches(result: SetResult) -> dict[str, Any]:
    return _rounded({change: values["right matches"] for change, values in result.changes.items()})


def _rounded(values: Any) -> dict[str, Any]:
    return {
        name: [round(v, 2) for v in value] if isinstance(value, Sequence) else round(float(value), 3)
        for name, value in values.items()
    }
