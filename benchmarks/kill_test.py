"""Kill a run over a collection at random moments, let it go on, and compare its stores with an undisturbed run's.

usage: scripts/bench kill_test [--kills N] [--images N] [--only SCENARIO] [--save NAME]

Three scenarios, each with N kills (SIGKILL): the run in one process ("run"), a run on Ray ("driver"), and the workers
of a run on Ray ("worker"). Tiny networks with random weights, photographs that are made up. Nothing may be lost, and
nothing may differ; how much is stored twice is counted in the files.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import measuring
from cyano.engine import AlignImages, ExtractImages, MatchPairs, RayEngine, find_images, run_stage
from cyano.engine.alignment import AlignWorker
from cyano.engine.extraction import ImageWorker
from cyano.engine.matching import PairWorker
from cyano.store.shard import open_shard
from support import collection

SEED = 0
PIDS = "workers"


def note(root: Path) -> None:
    """Leave this process's number where the one that kills finds it."""
    folder = root / PIDS
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()


@dataclass(frozen=True, eq=False)
class NotedExtraction(ExtractImages):
    """Extraction by workers whose process numbers are known."""

    def worker(self) -> ImageWorker:
        """See `Stage.worker`."""
        note(self.root)
        return super().worker()


@dataclass(frozen=True, eq=False)
class NotedMatching(MatchPairs):
    """Matching by workers whose process numbers are known."""

    def worker(self) -> PairWorker:
        """See `Stage.worker`."""
        note(self.root)
        return super().worker()


@dataclass(frozen=True, eq=False)
class NotedAligning(AlignImages):
    """Aligning by workers whose process numbers are known."""

    def worker(self) -> AlignWorker:
        """See `Stage.worker`."""
        note(self.root)
        return super().worker()


def child(scenario: str, images: Path, root: Path) -> None:
    """What is killed: all stages."""
    names = find_images(images)
    recipe = collection.recipe()
    extraction = NotedExtraction(recipe, images, root)
    matching = NotedMatching(recipe, root, collection.VERIFICATION)
    options: dict[str, Any] = {} if scenario == "run" else {"engine": RayEngine(workers=2, cpus=0.5, attempts=1000)}
    print("begins", flush=True)
    summaries = [
        run_stage(extraction, names, **options),
        run_stage(matching, collection.all_pairs(names), **options),
    ]
    aligning = NotedAligning.of(recipe, images, root, collection.VERIFICATION, names)
    summaries.append(run_stage(aligning, names, **options))
    if any(summary.exit_status for summary in summaries):
        raise SystemExit(1)


@contextmanager
def started(scenario: str, images: Path, root: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, at work."""
    command = [sys.executable, __file__, "--child", scenario, str(images), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None  # noqa: S101 - a pipe was asked for
        run.stdout.readline()
        yield run


def kill_runs(scenario: str, images: Path, fresh: Callable[[], Path], kills: int, longest_s: float) -> Iterator[Path]:
    """Kill the run itself; whenever one comes to its end another begins, in a store of its own."""
    rng = np.random.default_rng(SEED)
    root, done = fresh(), 0
    while True:
        with started(scenario, images, root) as run:
            if done < kills:
                time.sleep(float(rng.uniform(0, longest_s)))
                run.kill()
            status = run.wait()
        if status == 0:
            yield root
            if done == kills:
                return
            root = fresh()
        elif status == -signal.SIGKILL:
            done += 1
        else:
            raise SystemExit(f"the run ended with {status}")


def kill_workers(images: Path, fresh: Callable[[], Path], kills: int, longest_s: float) -> Iterator[Path]:
    """Kill workers of runs on Ray, which come to their ends all the same."""
    rng = np.random.default_rng(SEED)
    done = 0
    while done < kills:
        root = fresh()
        with started("worker", images, root) as run:
            while run.poll() is None and done < kills:
                time.sleep(float(rng.uniform(0, longest_s)))
                pids = [int(path.name) for path in (root / PIDS).glob("*") if Path("/proc", path.name).exists()]
                if pids and run.poll() is None:
                    os.kill(int(rng.choice(pids)), signal.SIGKILL)
                    done += 1
            if run.wait():
                raise SystemExit(f"the run ended with {run.returncode}")
        yield root


def copies(images: Path, root: Path) -> int:
    """How many images and pairs are stored more than once."""
    features, matches = collection.extraction(images, root).open(), collection.matching(root).open()
    keypoints = collection.aligning(images, root).open()
    rows = 0
    for store in (features, matches, keypoints):
        for name in store.sizes():
            with open_shard(store.folder / name) as shard:
                rows += len(shard.tensor("pairs")) if store is matches else len(shard.document["images"])
    return rows - features.count() - matches.count() - keypoints.count()


def main() -> None:
    """Parse the arguments, kill, compare, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--only", choices=("run", "driver", "worker"))
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # Sums are rounded otherwise with another number of threads, and Ray gives its workers one.
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    if arguments.child:
        scenario, images, root = arguments.child
        child(scenario, Path(images), Path(root))
        return
    results: dict[str, Any] = {"images": arguments.images}
    with tempfile.TemporaryDirectory() as folder:
        images = collection.write_images(Path(folder, "images"), arguments.images)
        expected = Path(folder, "expected")
        start = time.perf_counter()
        collection.run_all(images, expected)
        alone_s = time.perf_counter() - start
        for scenario in [arguments.only] if arguments.only else ["run", "driver", "worker"]:
            count = iter(range(10_000))

            def fresh(scenario: str = scenario, count: Iterator[int] = count) -> Path:
                return Path(folder, f"{scenario}{next(count)}")

            if scenario == "worker":
                roots = kill_workers(images, fresh, arguments.kills, alone_s + 2)
            else:
                roots = kill_runs(scenario, images, fresh, arguments.kills, alone_s * (1 if scenario == "run" else 4))
            seconds, runs, twice = time.perf_counter(), 0, 0
            for root in roots:
                collection.assert_same_content(images, root, expected)
                collection.assert_same_keypoints(images, root, expected)
                runs, twice = runs + 1, twice + copies(images, root)
            seconds = time.perf_counter() - seconds
            results[scenario] = {"kills": arguments.kills, "runs": runs, "lost": 0, "different": 0, "twice": twice}
            print(f"{scenario:7} {arguments.kills} kills, {runs} runs to the end, nothing lost or different, "
                  f"{twice} items stored twice; {seconds:.0f} s")  # fmt: skip
    if arguments.save:
        print(measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
