"""The loop: exact resume after a kill, and refusal to mix configurations."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cyano.errors import InputError, OutputError
from cyano.training.run.loop import Batch, train_stage
from cyano.training.run.progress import LOG_FILE, Progress, duration, log_line
from cyano.training.run.schedule import Schedule
from cyano.training.run.state import STATE_FILE, alone_in, claim_folder

CPU = torch.device("cpu")


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


class KilledError(Exception):
    pass


@dataclass
class Regression:
    """A small problem; killed before the step of that number."""

    schedule: Schedule
    killed_at: int | None = None
    options: int = 0
    name: str = "regression"
    seed: int = 5
    module: nn.Module = field(default_factory=network)
    losses: list[float] = field(default_factory=list)

    def record(self) -> Mapping[str, Any]:
        return {"options": self.options}

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        return ()

    def batch(self, rng: np.random.Generator) -> Batch:
        x = torch.from_numpy(rng.normal(size=(self.schedule.batch_size, 4)).astype(np.float32))
        return {"x": x, "y": x.sum(1, keepdim=True)}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        if len(self.losses) == self.killed_at:
            raise KilledError
        loss = ((module(batch["x"]) - batch["y"]) ** 2).mean()
        self.losses.append(float(loss.detach()))
        return loss, {}


def schedule(steps: int = 12, workers: int = 0) -> Schedule:
    return Schedule(
        steps=steps, batch_size=8, bfloat16=False, workers=workers, save_seconds=0, log_steps=4, warmup_steps=3
    )


# A worker that is told to end while it ends may abort, which torch tells while it tidies up; the losses decide.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, workers: int) -> None:
    whole = Regression(schedule(workers=workers))
    train_stage(whole, tmp_path / "whole", CPU)
    killed = Regression(schedule(workers=workers), killed_at=7)
    with pytest.raises(KilledError):
        train_stage(killed, tmp_path / "killed", CPU)
    resumed = Regression(schedule(workers=workers))
    state = train_stage(resumed, tmp_path / "killed", CPU)
    assert state.step == 12
    assert killed.losses + resumed.losses == whole.losses  # to the last bit
    for mine, theirs in zip(resumed.module.state_dict().values(), whole.module.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_complete_stage_only_loads(tmp_path: Path) -> None:
    first = Regression(schedule())
    train_stage(first, tmp_path, CPU)
    again = Regression(schedule())
    train_stage(again, tmp_path, CPU)
    assert again.losses == []
    assert torch.equal(again.module[0].weight, first.module[0].weight)


def test_more_steps_go_on_and_other_options_are_refused(tmp_path: Path) -> None:
    train_stage(Regression(schedule(steps=4)), tmp_path, CPU)
    longer = Regression(schedule(steps=6))
    train_stage(longer, tmp_path, CPU)
    assert len(longer.losses) == 2
    same = dataclasses.replace(schedule(steps=6), workers=1, log_steps=7, save_seconds=9)
    train_stage(Regression(same), tmp_path, CPU)
    with pytest.raises(OutputError, match="options: 0 -> 1"):
        train_stage(Regression(schedule(steps=6), options=1), tmp_path, CPU)


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(exist_ok=True)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "run" / "lock").symlink_to(precious)
    with pytest.raises(OutputError, match="cannot be written"), alone_in(tmp_path / "run"):
        pass
    assert precious.read_text() == "mine"  # a lock is neither emptied nor followed
    (tmp_path / "run" / "lock").unlink()
    with alone_in(tmp_path / "run"), pytest.raises(OutputError, match="another process is training"):
        train_stage(Regression(schedule()), tmp_path / "run", CPU)
    train_stage(Regression(schedule()), tmp_path / "run", CPU)  # the first one has ended
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        train_stage(Regression(schedule()), tmp_path / "file" / "run", CPU)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    train_stage(Regression(schedule(steps=2)), tmp_path, CPU)
    path = tmp_path / STATE_FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="delete it to start this stage anew"):
        train_stage(Regression(schedule(steps=2)), tmp_path, CPU)


def test_a_gradient_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    class Broken(Regression):
        def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
            loss, figures = super().loss(module, batch)
            return loss * torch.inf, figures

    broken = Broken(schedule(steps=2))
    before = broken.module[0].weight.detach().clone()
    train_stage(broken, tmp_path, CPU)
    assert torch.equal(broken.module[0].weight, before)
    with pytest.raises(InputError, match=r"diverged: the last 100 steps .* lower its learning_rate"):
        train_stage(Broken(schedule(steps=100)), tmp_path / "long", CPU)


def test_the_log_has_means_rates_and_waits(tmp_path: Path) -> None:
    told: list[str] = []
    steps: list[tuple[str, int, int]] = []

    class Listener:
        def say(self, line: str) -> None:
            told.append(line)

        def at(self, stage: str, done: int, total: int) -> None:
            steps.append((stage, done, total))

    stage = Regression(schedule())
    train_stage(stage, tmp_path, CPU, Progress(tmp_path, stage.schedule, Listener()))
    assert steps == [(tmp_path.name, done, 12) for done in range(1, 13)]
    lines = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert lines[0]["loss"] == pytest.approx(np.mean(stage.losses[:4]), rel=1e-4)
    assert {"wait_seconds", "pairs_per_second", "gradient"} <= lines[0].keys()
    assert told[0].startswith("step 4/12 (33%): ")
    assert told[-1].startswith("step 12/12 (100%): ")
    assert told[-1].endswith(", done")


def test_figures_are_told_in_words_with_units_and_the_time_left() -> None:
    means = {"loss": 3.16234, "gradient": 57.5, "skipped": 0.0, "last": 2.42623, "precision": 0.55474, "recall": 0.6}
    means |= {"early": 2.4535, "wait_seconds": 0.04, "step_seconds": 0.8, "pairs_per_second": 18.277}
    assert log_line(20, 2000, means) == (
        "step 20/2000 (1%): loss 3.162, gradient norm 57.5, last-layer loss 2.426, precision 55.5%, recall 60.0%, "
        "early-layer loss 2.454, 18.3 pairs/s, 5% of the time waiting for data, 26 min left"  # 1980 x 0.8 s
    )
    assert "steps skipped 25.0%" in log_line(20, 2000, means | {"skipped": 0.25})
    assert "new figure 1.5" in log_line(20, 2000, means | {"new_figure": 1.5})


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3570, "1 h 0 min"), (12_000, "3 h 20 min"), (190_800, "2 d 5 h")],
)
def test_durations_are_told_in_two_units(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_another_configuration_is_refused_by_what_differs(tmp_path: Path) -> None:
    record = {"steps": 3, "seed": 0, "network": {"sizes": [8, 16], "radius": 4}}
    claim_folder(tmp_path, record)
    claim_folder(tmp_path, {**record, "steps": 5})  # more of the same
    with pytest.raises(OutputError, match=r"\(network\.sizes: \[8, 16\] -> \[8, 32\]; seed: 0 -> 1\)"):
        claim_folder(tmp_path, {**record, "seed": 1, "network": {"sizes": [8, 32], "radius": 4}})


@dataclass(frozen=True)
class ViewOptions:
    """Options of a stage, one of them younger than the others, one renamed."""

    views: int = 2
    scale: tuple[int, int] = (1, 2)
    early_every: int = 4
    unrelated: float = field(default=0.0, metadata={"was": "strangers"})


def test_a_run_from_before_an_option_was_there_goes_on(tmp_path: Path) -> None:
    """As it would have without it: what nobody said has its usual value. Another value is another configuration."""

    def claim(options: ViewOptions) -> None:
        claim_folder(tmp_path, {"steps": 3, "options": asdict(options)}, options)

    (tmp_path / "stage.json").write_text('{"steps": 3, "options": {"views": 2, "scale": [1, 2], "strangers": 0.5}}')
    with pytest.raises(OutputError, match=r"\(options\.early_every: 4 -> 2\)"):
        claim(ViewOptions(early_every=2, unrelated=0.5))
    with pytest.raises(OutputError, match=r"\(options\.unrelated: 0\.5 -> 0\.0\)"):
        claim(ViewOptions())
    claim(ViewOptions(unrelated=0.5))
    assert "strangers" not in (tmp_path / "stage.json").read_text()


def test_other_start_weights_are_refused_unless_nobody_knows_the_old_ones(tmp_path: Path) -> None:
    claim_folder(tmp_path / "given", {"steps": 3, "start": "a"})
    with pytest.raises(OutputError, match=r"\(start: a -> b\)"):
        claim_folder(tmp_path / "given", {"steps": 3, "start": "b"})
    claim_folder(tmp_path / "new", {"steps": 3, "start": None})
    with pytest.raises(OutputError, match=r"\(start: None -> b\)"):
        claim_folder(tmp_path / "new", {"steps": 3, "start": "b"})
    claim_folder(tmp_path / "older", {"steps": 3})
    claim_folder(tmp_path / "older", {"steps": 3, "start": "b"})
    with pytest.raises(OutputError, match=r"\(start: b -> a\)"):
        claim_folder(tmp_path / "older", {"steps": 3, "start": "a"})
