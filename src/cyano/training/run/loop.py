"""The one loop that trains every stage.

Data of a step is a function of (seed, step, process) alone, so that the position in the data is the step, a kill loses
at most what came after the last checkpoint, and the steps that follow a resume are those that would have followed
without it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from cyano.errors import InputError
from cyano.models.transfers import upload
from cyano.training.run.processes import Processes, is_first_process
from cyano.training.run.progress import Progress
from cyano.training.run.schedule import Schedule, build_optimiser
from cyano.training.run.state import StageState, alone_in, claim_folder, load_state, save_state
from cyano.training.run.workers import in_workers

__all__ = ["Batch", "Stage", "train_stage", "update"]

Batch = dict[str, Tensor]

LOST = 100
"""So many steps in a row without a finite gradient are no accident."""


class Stage(Protocol):
    """One stage of training: a network, where its data comes from, and its loss."""

    name: str
    seed: int
    schedule: Schedule
    module: nn.Module

    def record(self) -> Mapping[str, Any]:
        """Whatever decides the result besides schedule and seed, as JSON values."""
        ...

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """Parameters that a small step moves far; they learn at `SLOW` times the rate."""
        ...

    def batch(self, rng: np.random.Generator) -> Batch:
        """The data of one step; runs in a worker process."""
        ...

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The scalar to minimise and the figures to log."""
        ...


class _Steps(Dataset[Batch]):
    """The batches of a stage by step."""

    def __init__(self, stage: Stage, rank: int) -> None:
        self._stage = stage
        self._rank = rank

    def __getitem__(self, step: int) -> Batch:
        return self._stage.batch(np.random.default_rng((self._stage.seed, step, self._rank)))

    def __len__(self) -> int:
        return self._stage.schedule.steps


def _batches(stage: Stage, start: int, rank: int) -> Iterator[Batch]:
    workers = stage.schedule.workers
    return iter(in_workers(_Steps(stage, rank), range(start, stage.schedule.steps), workers or 0))


def train_stage(stage: Stage, folder: Path, device: torch.device, progress: Progress | None = None) -> StageState:
    """Train a stage to its last step, from wherever its folder says it stands.

    Args:
        stage: what to train; its module is trained in place.
        folder: where checkpoints and logs go.
        device: where the network runs.
        progress: told of every step; None for silence.

    Returns:
        The final state.

    Raises:
        OutputError: the folder holds another configuration's work, or cannot be written.
        InputError: the checkpoint is damaged, the batch cannot be divided among the processes, or the training has
            diverged.
    """
    processes = Processes.joined(device)
    with ExitStack() as stack:
        if is_first_process():
            stack.enter_context(alone_in(folder))
            options = getattr(stage, "options", None)
            claim_folder(folder, {**stage.schedule.record(), **stage.record(), "seed": stage.seed}, options)
        module = stage.module.to(processes.device).train()
        optimiser = build_optimiser(module.parameters(), stage.schedule, stage.slow_parameters())
        state = load_state(folder, module, optimiser)
        stage = copy.copy(stage)
        stage.schedule = processes.share(stage.schedule)
        runner = processes.wrapped(module)
        return _run(stage, folder, runner, optimiser, state, processes, progress)


def _run(
    stage: Stage,
    folder: Path,
    runner: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: StageState,
    processes: Processes,
    progress: Progress | None,
) -> StageState:
    """The steps from `state` on."""
    began = saved = time.monotonic()
    spent = state.seconds
    batches = _batches(stage, state.step, processes.rank)
    lost = 0
    for step in range(state.step, stage.schedule.steps):
        asked = time.monotonic()
        batch = {name: upload(tensor, processes.device) for name, tensor in next(batches).items()}
        waited = time.monotonic() - asked
        figures = update(stage, runner, optimiser, batch, step)
        lost = lost + 1 if figures["skipped"] else 0
        if lost == LOST:
            raise InputError(
                f"{stage.name} has diverged: the last {LOST} steps had no finite gradient and changed nothing; "
                f"lower its learning_rate and begin it anew in another folder than {folder}"
            )
        now = time.monotonic()
        state = StageState(step + 1, spent + now - began)
        last = state.step == stage.schedule.steps
        if progress is not None and is_first_process():
            progress.step(state, figures, waited, now - asked)
        if is_first_process() and (last or now - saved >= stage.schedule.save_seconds):
            save_state(folder, stage.module, optimiser, state)
            saved = time.monotonic()
    processes.wait()  # none leaves, or begins the next stage, while another one is busy with this one
    return state


def update(
    stage: Stage, runner: nn.Module, optimiser: torch.optim.Optimizer, batch: Batch, step: int
) -> dict[str, Tensor]:
    """One update of the weights, after which a GPU is asked one thing: whether the gradient was finite.

    Args:
        stage: says how; its module has the parameters.
        runner: the module, or what wraps it for several processes.
        optimiser: of its parameters.
        batch: on the module's device.
        step: number of the update, counted from 0.

    Returns:
        Figures of the step. "skipped" is on the CPU, 1 where the gradient was not finite and nothing changed.
    """
    schedule = stage.schedule
    for group in optimiser.param_groups:
        group["lr"] = schedule.rate(step) * group["scale"]
    optimiser.zero_grad(set_to_none=True)
    device = next(stage.module.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=schedule.bfloat16):
        loss, figures = stage.loss(runner, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(stage.module.parameters(), schedule.clip_norm)
    # A broken batch (an overflow in half precision, say) must not reach the weights: such a step changes nothing.
    skipped = (~torch.isfinite(norm)).float().cpu()
    if not skipped:
        optimiser.step()
    return {"loss": loss.detach(), "gradient": norm.detach(), "skipped": skipped, **figures}
