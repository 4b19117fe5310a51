"""How long and how fast one stage trains, and its optimiser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from cyano.errors import InputError

__all__ = ["SLOW", "Schedule", "build_optimiser"]


SLOW = 0.2
"""Share of the learning rate for parameters that a small step moves far."""

_NO_EFFECT = frozenset({"workers", "save_seconds", "log_steps"})


@dataclass(frozen=True)
class Schedule:
    """The run of one stage.

    Attributes:
        steps: optimiser steps in all; a stage that has done them is complete. Raising it continues the stage.
        batch_size: pictures or pairs a step, of all processes together.
        learning_rate: after the warm-up.
        warmup_steps: steps of linear rise.
        constant: share of the steps before the linear fall.
        final: learning rate at the end as a share of `learning_rate`.
        weight_decay: of AdamW, on matrices and filters alone.
        clip_norm: largest norm of the gradient.
        bfloat16: run convolutions and matrix products in bfloat16; parameters and losses stay float32.
        workers: processes that make data beside each of the network's; None for as many as have cores to themselves.
        save_seconds: least time between two checkpoints.
        log_steps: steps between two lines of the log.
    """

    steps: int
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    constant: float = 0.4
    final: float = 0.02
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    bfloat16: bool = True
    workers: int | None = None
    save_seconds: float = 120.0
    log_steps: int = 20

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.log_steps < 1:
            raise InputError("steps, batch_size and log_steps are at least 1")
        if (self.workers or 0) < 0 or self.warmup_steps < 0 or not 0 <= self.constant < 1:
            raise InputError("workers and warmup_steps are at least 0, and constant lies in [0, 1)")
        if self.learning_rate <= 0 or self.clip_norm <= 0:
            raise InputError("learning_rate and clip_norm are positive")

    def record(self) -> dict[str, float]:
        """What decides the result of a stage: all but how the work is shared, saved and told."""
        return {name: value for name, value in asdict(self).items() if name not in _NO_EFFECT}

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: rise, level, fall."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        start = self.constant * self.steps
        fallen = min(max(step - start, 0) / max(self.steps - start, 1), 1)
        return self.learning_rate * (1 - (1 - self.final) * fallen)


def build_optimiser(
    parameters: Iterable[nn.Parameter], schedule: Schedule, slow: Iterable[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices and filters alone, not on biases and norms.

    Each group's `scale` multiplies the learning rate: it is `SLOW` for the parameters in `slow`, else 1.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    slowed = {id(parameter) for parameter in slow}
    groups = [
        {
            "params": [p for p in trained if (p.ndim > 1) == is_matrix and (id(p) in slowed) == is_slow],
            "weight_decay": schedule.weight_decay if is_matrix else 0.0,
            "scale": SLOW if is_slow else 1.0,
        }
        for is_matrix in (True, False)
        for is_slow in (True, False)
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=schedule.learning_rate)
