"""Training steps a second on a device, from batches that are made: what a network takes, without the data."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig
from cyano.training.data.features import FeatureExtractor
from cyano.training.data.photographs import Photographs
from cyano.training.networks.detector import fresh_superpoint
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.run.config import read_config
from cyano.training.run.loop import Stage, update
from cyano.training.run.schedule import Schedule, build_optimiser
from cyano.training.stages.joint import JointOptions, JointStage
from cyano.training.stages.matcher import MatcherStage, PairOptions

SEED = 0


def rows(
    device: torch.device,
    pictures: list[NDArray[np.uint8]],
    measured: Callable[[Callable[[], object]], dict[str, Any]],
    quick: bool,
) -> Iterator[dict[str, Any]]:
    """A row for each stage and precision.

    Args:
        device: where the networks run.
        pictures: photographs to make batches of.
        measured: median seconds and memory of a run.
        quick: for tiny networks and batches.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            Image.fromarray(picture).save(path)
        for bfloat16 in (False, True):
            for stage in stages(Photographs(paths), bfloat16, quick):
                batch = stage.batch(np.random.default_rng(SEED))
                run = measured(steps(stage, {name: each.to(device) for name, each in batch.items()}, device))
                row = {"stage": stage.name, "precision": "bfloat16" if bfloat16 else "float32"}
                each = run["median_s"]
                rate = {"steps_per_s": round(1 / each, 2)} if isinstance(each, float) else {}
                yield {**row, "batch_size": stage.schedule.batch_size, **run, **rate}


def stages(photographs: Photographs, bfloat16: bool, quick: bool) -> Iterator[Stage]:
    """The matcher's and the joint stage of the recipe "small", at small sizes."""
    config = read_config("small")
    superpoint, superglue, height, width, keypoints, size = config.superpoint, config.superglue, 240, 320, 256, 16
    if quick:
        superpoint = SuperPointConfig((8, 8, 16, 16), 32, 32, keypoint_localisation="structure")
        superglue = SuperGlueConfig(32, (8, 16), ("self", "cross") * 2)
        height, width, keypoints, size = 64, 80, 32, 2
    schedule = Schedule(steps=1000, batch_size=size, bfloat16=bfloat16)
    detector = fresh_superpoint(superpoint, SEED)
    options = PairOptions(height=height, width=width, scenes=0, keypoints=keypoints)
    extractor = FeatureExtractor(fresh_superpoint(superpoint, SEED), keypoints)
    yield MatcherStage(fresh_superglue(superglue, SEED), extractor, photographs, options, schedule, SEED)
    joint = JointOptions(height=height, width=width)
    yield JointStage("joint", detector, photographs, None, joint, schedule, SEED)


def steps(stage: Stage, batch: dict[str, torch.Tensor], device: torch.device) -> Callable[[], object]:
    """A run of one step after the other on one batch."""
    module = stage.module.to(device).train()
    optimiser = build_optimiser(module.parameters(), stage.schedule, stage.slow_parameters())
    numbers = count()
    return lambda: update(stage, module, optimiser, batch, next(numbers))
