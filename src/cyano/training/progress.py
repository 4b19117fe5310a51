"""What a training run says while it runs: a log file of JSON lines, TensorBoard where installed, and the terminal."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cyano.training.schedule import Schedule
from cyano.training.state import StageState
from cyano.watching import NOBODY, Watcher

__all__ = ["LOG_FILE", "Progress"]

LOG_FILE = "log.jsonl"


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
        folder.mkdir(parents=True, exist_ok=True)
        self._name = folder.name
        self._path = folder / LOG_FILE
        self._schedule = schedule
        self._watcher = watcher
        self._board = _tensorboard(folder)
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0

    def step(self, state: StageState, figures: Mapping[str, Tensor], waited: float, took: float) -> None:
        """Take in one step: its figures, the seconds that the network waited for data, and its seconds in all."""
        for name, value in figures.items():
            self._sums[name] += float(value)
        self._sums["wait_seconds"] += waited
        self._sums["step_seconds"] += took
        self._count += 1
        self._watcher.at(self._name, state.step, self._schedule.steps)
        if state.step % self._schedule.log_steps == 0 or state.step == self._schedule.steps:
            self._write(state)

    def _write(self, state: StageState) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        means["pairs_per_second"] = self._schedule.batch_size / means["step_seconds"]
        self._sums.clear()
        self._count = 0
        line: dict[str, Any] = {"step": state.step, "seconds": round(state.seconds, 1)}
        line |= {name: float(f"{value:.5g}") for name, value in means.items()}
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        if self._board is not None:
            for name, value in means.items():
                self._board.add_scalar(name, value, state.step)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
        self._watcher.say(f"step {state.step}/{self._schedule.steps}  {shown}")


def _tensorboard(folder: Path) -> Any:
    """A writer for TensorBoard, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
