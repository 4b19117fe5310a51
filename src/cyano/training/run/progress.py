"""What a training run says while it runs: a log file of JSON lines, TensorBoard where installed, and the terminal."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cyano.atomic import append_line, written
from cyano.progress import NOBODY, Watcher
from cyano.training.run.schedule import Schedule
from cyano.training.run.state import StageState

__all__ = ["LOG_FILE", "Progress", "duration", "log_line"]

LOG_FILE = "log.jsonl"

_WORDS = {
    "loss": "loss {:.4g}",
    "last": "last-layer loss {:.4g}",
    "early": "early-layer loss {:.4g}",
    "detector": "detector loss {:.4g}",
    "descriptor": "descriptor loss {:.4g}",
    "temperature": "temperature {:.4g}",
    "precision": "precision {:.1%}",
    "recall": "recall {:.1%}",
    "nearest_right": "nearest neighbours right {:.1%}",
    "gradient": "gradient norm {:.4g}",
    "skipped": "steps skipped {:.1%}",
    "pairs_per_second": "{:.3g} pairs/s",
}
"""The figures that the terminal shows, in words and with units; the log file has all, by these names."""


class Progress:
    """Means of the figures over every few steps, written where they can be watched.

    A resumed run appends to the log; steps that a kill threw away appear twice, the later line counts.
    """

    def __init__(self, folder: Path, schedule: Schedule, watcher: Watcher = NOBODY) -> None:
        """Open the log.

        Args:
            folder: of the stage.
            schedule: says how often to write.
            watcher: is told of every step and gets every line.
        """
        with written(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._name = folder.name
        self._path = folder / LOG_FILE
        self._schedule = schedule
        self._watcher = watcher
        self._board = _tensorboard(folder)
        self._sums: dict[str, float] = defaultdict(float)
        self._figures: dict[str, list[Tensor]] = defaultdict(list)
        self._count = 0

    def step(self, state: StageState, figures: Mapping[str, Tensor], waited: float, took: float) -> None:
        """Take in one step: its figures, the seconds that the network waited for data, and its seconds in all."""
        for name, value in figures.items():
            self._figures[name].append(value.detach().float())  # a GPU is asked for them when they are written
        self._sums["wait_seconds"] += waited
        self._sums["step_seconds"] += took
        self._count += 1
        self._watcher.at(self._name, state.step, self._schedule.steps)
        if state.step % self._schedule.log_steps == 0 or state.step == self._schedule.steps:
            self._write(state)

    def _write(self, state: StageState) -> None:
        sums = {name: sum(torch.stack(values).tolist()) for name, values in self._figures.items()} | self._sums
        means = {name: total / self._count for name, total in sums.items()}
        means["pairs_per_second"] = self._schedule.batch_size / means["step_seconds"]
        self._sums.clear()
        self._figures.clear()
        self._count = 0
        line: dict[str, Any] = {"step": state.step, "seconds": round(state.seconds, 1)}
        line |= {name: float(f"{value:.5g}") for name, value in means.items()}
        append_line(self._path, json.dumps(line))
        if self._board is not None:
            with written(self._path.parent):
                for name, value in means.items():
                    self._board.add_scalar(name, value, state.step)
        self._watcher.say(log_line(state.step, self._schedule.steps, means))


def log_line(step: int, steps: int, means: Mapping[str, float]) -> str:
    """A line for the terminal: figures in words, the share of the time spent waiting for data, and the time left.

    Args:
        step: steps done.
        steps: in all.
        means: figures by their names in the log file, over the last steps.
    """
    told = [
        _WORDS.get(name, name.replace("_", " ") + " {:.4g}").format(value)
        for name, value in means.items()
        if not name.endswith("_seconds") and (name != "skipped" or value)
    ]
    waiting = means["wait_seconds"] / means["step_seconds"] if means["step_seconds"] else 0.0
    left = "done" if step == steps else f"{duration((steps - step) * means['step_seconds'])} left"
    told += [f"{waiting:.0%} of the time waiting for data", left]
    return f"step {step}/{steps} ({step / steps:.0%}): {', '.join(told)}"


def duration(seconds: float) -> str:
    """A time in the two units that matter: "45 s", "12 min", "3 h 20 min", "2 d 5 h"."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _tensorboard(folder: Path) -> Any:
    """A writer for TensorBoard, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
