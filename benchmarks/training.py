"""Pairs per second of each stage of the recipe "small", and how long the network waits for data.

usage: scripts/bench training PHOTOGRAPHS [--steps N] [--save NAME]
       torchrun --standalone --nproc-per-node 2 -- benchmarks/training.py PHOTOGRAPHS ...

Every stage trains for N steps from fresh weights, with its own workers; the first N / 2 steps warm up and are not
counted. The joint stage also runs at 192x256, and the matcher also on three views of each thing, and on pairs that are
stored: its first N / 2 steps make them. By several processes a batch is shared out, as `cyano train` does.
"""

# ruff: noqa: E402

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cyano.training.run.tuning import tune_process

tune_process()  # before torch is imported, as `cyano train` does

import torch

import measuring
from cyano.models.superpoint import SuperPoint
from cyano.training.data.features import FeatureExtractor
from cyano.training.data.pair_store import PairStore
from cyano.training.data.photographs import Photographs, find_photographs
from cyano.training.networks.detector import fresh_superpoint
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.run.config import read_config
from cyano.training.run.loop import Stage, train_stage
from cyano.training.run.processes import Processes, is_first_process
from cyano.training.run.progress import LOG_FILE, Progress
from cyano.training.run.schedule import Schedule
from cyano.training.stages.joint import JointStage
from cyano.training.stages.matcher import MatcherStage
from cyano.training.stages.shapes import ShapesStage

SEED = 0
PHOTOGRAPHS = 40


def timed(stage: Stage, folder: Path) -> dict[str, Any]:
    """Medians over the second half of the steps; nothing in any process but the first."""
    cpu = torch.device("cpu")
    processes = Processes.joined(cpu)
    if not is_first_process():
        train_stage(stage, folder, cpu)
        return {}
    train_stage(stage, folder, cpu, Progress(folder, stage.schedule))
    lines = [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]
    counted = lines[len(lines) // 2 :]
    row = {
        "pairs_per_second": round(
            stage.schedule.batch_size / statistics.median(line["step_seconds"] for line in counted), 2
        ),
        "step_seconds": statistics.median(line["step_seconds"] for line in counted),
        "wait_seconds": statistics.median(line["wait_seconds"] for line in counted),
        "batch_size": stage.schedule.batch_size,
        "processes": processes.count,
        "workers": processes.share(stage.schedule).workers,
    }
    print(stage.name, json.dumps(row), flush=True)
    return row


def short(schedule: Schedule, steps: int) -> Schedule:
    """The schedule with so many steps, each with a line in the log."""
    return replace(schedule, steps=steps, log_steps=1, save_seconds=1e9)


def stages(folder: Path, steps: int, work: Path) -> Iterator[Stage]:
    """All that is timed."""
    config = read_config("small")
    photographs = Photographs(find_photographs(folder)[0][:PHOTOGRAPHS])
    detector: SuperPoint = fresh_superpoint(config.superpoint, SEED)
    joint, matcher = config.rounds[0], config.matcher[0]
    yield ShapesStage(config.superpoint, config.shapes.options, short(config.shapes.schedule, steps), SEED)
    small = replace(joint.options, height=192, width=256), replace(short(joint.schedule, steps), batch_size=16)
    for options, schedule in (small, (joint.options, short(joint.schedule, steps))):
        name = f"joint, {options.height}x{options.width}"
        yield JointStage(name, detector, photographs, None, options, schedule, SEED)
    schedule = short(matcher.schedule, steps)
    share = matcher.options.scenes
    for scenes, views, stored in ((0.0, 2, 0), (share, 2, 0), (share, 3, 0), (share, 2, schedule.batch_size)):
        stage = MatcherStage(
            fresh_superglue(config.superglue, SEED),
            FeatureExtractor(detector, matcher.options.keypoints),
            photographs,
            replace(matcher.options, scenes=scenes, views=views, stored=stored),
            schedule,
            SEED,
            store=PairStore(work / "pairs", stored) if stored else None,
        )
        stage.name = f"matcher, {scenes:.0%} scenes, {views} views" + (", stored" if stored else "")
        yield stage


def main() -> None:
    """Parse the arguments, time every stage, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for stage in stages(arguments.photographs, arguments.steps, Path(temporary)):
            results[stage.name] = timed(stage, Path(temporary) / stage.name.replace(" ", "-"))
    if arguments.save and is_first_process():
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
