"""A stage with a closed form of its gradients, trained alone or by several processes: `python line_fit.py FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cyano.training.run.loop import Batch, train_stage
from cyano.training.run.schedule import Schedule


class LineFit:
    """Least squares on random points; `ranks` processes' shares in one process, to compare with as many processes."""

    name = "line"
    seed = 11

    def __init__(self, ranks: int = 1) -> None:
        self.schedule = Schedule(steps=5, batch_size=4, bfloat16=False, workers=0, save_seconds=0, warmup_steps=0)
        self.module: nn.Module = nn.Linear(3, 1)
        nn.init.constant_(self.module.weight, 0.5)
        nn.init.zeros_(self.module.bias)
        self._ranks = ranks
        self._step = 0

    def record(self) -> Mapping[str, Any]:
        return {}

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        return ()

    def batch(self, rng: np.random.Generator) -> Batch:
        rngs = [rng]
        if self._ranks > 1:
            rngs = [np.random.default_rng((self.seed, self._step, rank)) for rank in range(self._ranks)]
            self._step += 1
        x = np.concatenate([r.normal(size=(self.schedule.batch_size // len(rngs), 3)) for r in rngs]).astype(np.float32)
        return {"x": torch.from_numpy(x), "y": torch.from_numpy(x.sum(1, keepdims=True))}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        return ((module(batch["x"]) - batch["y"]) ** 2).mean(), {}


if __name__ == "__main__":
    train_stage(LineFit(), Path(sys.argv[1]), torch.device("cpu"))
