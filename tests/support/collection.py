"""A small collection, and a program that works on it: python collection.py IMAGES ROOT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cyano.checkpoints.loading import Networks
from cyano.engine import AlignImages, ExtractImages, MatchPairs, Recipe, Summary, find_images, run_stage
from cyano.engine.extraction import ImageWorker
from cyano.engine.matching import PairWorker
from cyano.errors import OutputError
from cyano.geometry import RobustOptions
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.types import ImageSize
from support.images import damaged
from support.networks import random_superglue, random_superpoint
from support.photographs import write_photographs
from support.stores import assert_same_image, assert_same_pair

VERIFICATION = RobustOptions(threshold_px=20.0)  # of random matches, some obey some matrix so far


@cache
def recipe(**options: Any) -> Recipe:
    """Tiny networks with random weights."""
    networks = Networks(random_superpoint(), random_superglue(), "random", None)
    return Recipe(networks, MatcherOptions(resize=ResizeRule.longest(100), max_keypoints=48, **options))


def write_images(folder: Path, count: int = 12) -> Path:
    """Photographs of several sizes, one in a folder of its own, and a grey card without keypoints."""
    import cv2

    write_photographs(folder, count - 3, ImageSize(96, 128))
    write_photographs(folder / "tall", 2, ImageSize(160, 64))
    cv2.imwrite(str(folder / "card.png"), np.full((64, 64), 90, np.uint8))
    return folder


def break_images(folder: Path, count: int = 5) -> list[str]:
    """Add files that are no images though they are named so; their names."""
    original = sorted(folder.glob("*.png"))[0].read_bytes()
    contents = [b"", b"not an image", *damaged(original, 3 * (count - 2), np.random.default_rng(0))][: count - 2]
    contents += [original[:200], original[:900]]
    names = [f"broken{number}.png" for number in range(count)]
    for name, content in zip(names, contents[:count], strict=True):
        (folder / name).write_bytes(content)
    return names


def extraction(images: Path, root: Path, **options: Any) -> ExtractImages:
    return ExtractImages(recipe(**options), images, root)


def matching(root: Path, **options: Any) -> MatchPairs:
    return MatchPairs(recipe(**options), root, VERIFICATION)


def aligning(images: Path, root: Path) -> AlignImages:
    """Of what is extracted and matched by now."""
    names = find_images(images)
    absent = set(extraction(images, root).open().missing(names))
    return AlignImages.of(recipe(), images, root, VERIFICATION, [name for name in names if name not in absent])


def all_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return list(combinations(names, 2))


def run_all(images: Path, root: Path, **arguments: Any) -> tuple[Summary, Summary, Summary]:
    """All stages over a folder of images, all pairs of it."""
    names = find_images(images)
    extracted = run_stage(extraction(images, root), names, **arguments)
    matched = run_stage(matching(root), all_pairs(names), **arguments)
    stage = aligning(images, root)
    return extracted, matched, run_stage(stage, stage.references().names, **arguments)


def assert_same_content(images: Path, root: Path, expected: Path, without: Sequence[tuple[str, str]] = ()) -> None:
    """Features and matches are those of another store, value for value, and there are no others and no damage."""
    names = find_images(images)
    pairs = [pair for pair in all_pairs(names) if pair not in without]
    features, matches = extraction(images, root).open(), matching(root).open()
    assert features.verify() == matches.verify() == []
    assert (features.count(), matches.count()) == (len(names), len(pairs))
    assert len(list(matches.keys())) == len(pairs)
    expected_features, expected_matches = extraction(images, expected).open(), matching(expected).open()
    for image, other in zip(features.read(names), expected_features.read(names), strict=True):
        assert_same_image(image, other)
    for pair, another in zip(matches.read(pairs), expected_matches.read(pairs), strict=True):
        assert_same_pair(pair, another)


def assert_same_keypoints(images: Path, root: Path, expected: Path) -> None:
    """Keypoints are aligned as in another store, value for value."""
    store, other = aligning(images, root).open(), aligning(images, expected).open()
    assert store.folder.name == other.folder.name
    assert store.verify() == []
    names = sorted(other.keys())
    assert sorted(store.keys()) == names
    for found, image in zip(store.read(names), other.read(names), strict=True):
        assert (found.name, found.moved) == (image.name, image.moved)
        np.testing.assert_array_equal(found.keypoints, image.keypoints)


@dataclass(frozen=True, eq=False)
class DeadlyOnce(ExtractImages):
    """An image kills the process that reads it, the first time."""

    image: str = ""

    def worker(self) -> ImageWorker:
        return _DeadlyOnceWorker(self)


class _DeadlyOnceWorker(ImageWorker):
    def __init__(self, stage: DeadlyOnce) -> None:
        super().__init__(stage)
        self._image, self._marker = stage.image, stage.root / "was deadly"

    def load(self, step: Sequence[str]) -> Any:
        if self._image in step and not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load(step)


@dataclass(frozen=True, eq=False)
class DeadlyStart(ExtractImages):
    """Loading the networks kills the process, as from a lack of memory."""

    def worker(self) -> ImageWorker:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@dataclass(frozen=True, eq=False)
class Full(ExtractImages):
    """The disk is full."""

    def worker(self) -> ImageWorker:
        return _FullWorker(self)


class _FullWorker(ImageWorker):
    def save(self, *_: Any) -> Any:
        raise OutputError("no space left")


@dataclass(frozen=True, eq=False)
class Deadly(MatchPairs):
    """A pair kills whichever process matches it."""

    pair: tuple[str, str] = ("", "")

    def worker(self) -> PairWorker:
        return _DeadlyWorker(self)


class _DeadlyWorker(PairWorker):
    def __init__(self, stage: Deadly) -> None:
        super().__init__(stage)
        self._pair = stage.pair

    def load(self, step: Sequence[tuple[str, str]]) -> Any:
        if self._pair in step:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load(step)


def program(images: Path, root: Path) -> subprocess.Popen[str]:
    """This program, at work in a process of its own; with as many threads as here, for others round otherwise."""
    threads = str(torch.get_num_threads())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": threads}
    run = subprocess.Popen(
        [sys.executable, __file__, str(images), str(root)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "begins\n"
    return run


def _tell(summary: Summary) -> None:
    """Say how far it is, and leave time to be killed there."""
    print(summary.finished, summary.total, flush=True)
    time.sleep(0.2)


if __name__ == "__main__":
    # Whoever runs the tests in the background has it ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("begins", flush=True)
    try:
        run_all(Path(sys.argv[1]), Path(sys.argv[2]), on_progress=_tell)
    except KeyboardInterrupt:
        sys.exit(130)
