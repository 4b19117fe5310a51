"""How a collection scales: images, pairs and aligned images a second by size and engine, the store, a million pairs.

usage: scripts/bench collection FOLDER [--sizes N ...] [--engines NAME ...] [--million] [--save NAME]

FOLDER holds photographs, as many as the largest size; each is paired with the next two. Every setting is a process of
its own with the default weights, begun from nothing: its extraction, its matching and the alignment of its keypoints
are timed from the first image or pair to the last, so without loading. Two workers of the local engine are two shares
in two processes. --million plans a million pairs of made-up names, stores half of them with made-up matches, takes
the run up again, and finds the keypoints that others are laid over in that half.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.checkpoints import load
from cyano.engine import (
    AlignImages,
    ExtractImages,
    MatchPairs,
    RayEngine,
    Recipe,
    Share,
    Stage,
    Summary,
    Unit,
    find_images,
    plan_pairs,
    run_stage,
)
from cyano.engine.plan import ImagePair
from cyano.engine.references import References
from cyano.formats.items import batches
from cyano.geometry import RobustOptions
from cyano.store import FeatureStore, MatchStore, ShardStore, StoredImage, StoredPair, TwoViewGeometry
from cyano.types import ImageSize, ResizeMap

SEED = 0
ENGINES = ("local-1", "local-2", "ray-1", "ray-2")
STAGES = ("images", "pairs", "aligned")
NEXT = 2
MILLION = 1_000_000
KEYPOINTS, MATCHES = 2048, 100  # of each image and pair that are made up


def neighbours(names: list[str]) -> list[ImagePair]:
    """Each image with the next two, around the end: as many pairs for each image whatever the size."""
    return [(name, names[(i + step) % len(names)]) for i, name in enumerate(names) for step in range(1, NEXT + 1)]


class Clock:
    """Seconds that a store takes, in whichever thread."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, kind: type[Any], name: str) -> None:
        """Count a method's time from now on."""
        method: Callable[..., Any] = getattr(kind, name)

        def timed(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*given, **named)
            finally:
                self.seconds += time.perf_counter() - start

        setattr(kind, name, timed)


def child(images: Path, root: Path, engine: str, share: str) -> None:
    """One process of one setting; prints what it measured."""
    clock = Clock()
    for name in ("write", "missing", "read"):
        clock.watch(ShardStore, name)
    recipe = Recipe(load())
    names = find_images(images)
    options: dict[str, Any] = {"share": Share.parse(share)} if share else {}
    if engine.startswith("ray"):
        options["engine"] = RayEngine(workers=int(engine[-1]), cpus=1)
    verification = RobustOptions(threshold_px=4.0)
    first: list[float] = []

    def begun(summary: Summary) -> None:
        first.append(time.time())

    measured: dict[str, Any] = {}
    stages: tuple[tuple[str, Callable[[], Stage[Any, Any]], list[Any]], ...] = (
        ("images", lambda: ExtractImages(recipe, images, root), names),
        ("pairs", lambda: MatchPairs(recipe, root, verification), neighbours(names)),
        ("aligned", lambda: AlignImages.of(recipe, images, root, verification, names), names),
    )
    for title, stage, keys in stages:
        if share:
            print("ready", flush=True)
            sys.stdin.readline()  # shares begin a stage together, for pairs need all images, and keypoints all pairs
        first.clear()
        summary = run_stage(stage(), keys, on_progress=begun, **options)
        measured[title] = {"done": summary.done, "from": first[0], "to": time.time()}
        if summary.exit_status:
            raise SystemExit(f"{summary.failures} {summary.absent}")
    print(json.dumps({**measured, "store_s": clock.seconds, "peak_MiB": measuring.peak_memory_mib()}), flush=True)


def run_setting(images: Path, root: Path, engine: str) -> dict[str, Any]:
    """Begin from nothing, in one process or in two shares."""
    shares = [f"{index}/2" for index in range(2)] if engine == "local-2" else [""]
    environment = {**os.environ, **({"OMP_NUM_THREADS": "1"} if engine != "local-1" else {})}
    runs = [
        subprocess.Popen(
            [sys.executable, __file__, "--child", str(images), str(root), engine, share],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for share in shares
    ]  # fmt: skip
    if len(runs) > 1:
        for _ in STAGES:
            for run in runs:
                assert run.stdout is not None  # noqa: S101 - a pipe was asked for
                run.stdout.readline()
            for run in runs:
                assert run.stdin is not None  # noqa: S101
                run.stdin.write("\n")
                run.stdin.flush()
    parts = [json.loads(run.communicate()[0].splitlines()[-1]) for run in runs]
    row: dict[str, Any] = {}
    for title in STAGES:
        seconds = max(part[title]["to"] for part in parts) - min(part[title]["from"] for part in parts)
        done = sum(part[title]["done"] for part in parts)
        row[title] = {"count": done, "seconds": round(seconds, 2), "per_s": round(done / seconds, 3)}
    if not engine.startswith("ray"):  # whose workers hold the stores
        total = sum(part[title]["to"] - part[title]["from"] for part in parts for title in STAGES)
        row["store_share"] = round(sum(part["store_s"] for part in parts) / total, 4)
        row["peak_MiB"] = round(max(part["peak_MiB"] for part in parts))
    return row


def a_million(root: Path) -> dict[str, Any]:
    """Plan, store a half, find what is left, and whose place keypoints take in that half; in this process."""
    count = 10_000
    names = [f"set/{number:05d}.jpg" for number in range(count)]
    pairs = [(names[i], names[(i + step) % count]) for i in range(count) for step in range(1, MILLION // count + 1)]
    row: dict[str, Any] = {"pairs": len(pairs), "matches of each": MATCHES, "names_MiB": peak()}
    store = MatchStore(root, {"made": "up"})

    def timed(title: str, run: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = run()
        row[title] = round(time.perf_counter() - start, 1)
        return result

    tiles = timed("plan_s", lambda: plan_pairs(pairs, store.folder.name))
    half = tiles[: len(tiles) // 2]
    timed("store_half_s", lambda: store_made_up(store, half))
    again = MatchStore(root, {"made": "up"})
    left = timed("find_the_rest_s", lambda: again.missing(pair for tile in tiles for pair in tile.items))
    if len(left) != MILLION - sum(len(tile.items) for tile in half):
        raise SystemExit(f"{len(left)} pairs are left")
    row |= {"tiles": len(tiles), "left": len(left), "peak_MiB": peak()}
    features = FeatureStore(root, {"made": "up"})
    frame = ResizeMap.identity(ImageSize(480, 640))
    places, rest = np.zeros((KEYPOINTS, 2), np.float32), np.zeros(KEYPOINTS, np.float32)
    for some in batches(names, 64):
        features.write([StoredImage(name, "", places, rest, rest[:, None], frame) for name in some])
    references = timed("references_of_the_half_s", lambda: References.of_matches(features, again, names))
    laid = int((references.others >= 0).sum())
    return {**row, "keypoints": len(references.others), "laid over others": laid, "peak_with_references_MiB": peak()}


def peak() -> int:
    """Memory of this process at its most, in MiB."""
    return round(measuring.peak_memory_mib())


def store_made_up(store: MatchStore, tiles: list[Unit[ImagePair]]) -> None:
    """Matches of random keypoints, all of which obey some geometry."""
    rng = np.random.default_rng(SEED)
    scores = rng.random(MATCHES).astype(np.float32)
    geometry = TwoViewGeometry("fundamental", np.eye(3), np.ones(MATCHES, bool))
    for tile in tiles:
        indices = rng.integers(0, KEYPOINTS, (len(tile.items), MATCHES, 2)).astype(np.int32)
        store.write([StoredPair(*key, rows, scores, geometry) for key, rows in zip(tile.items, indices, strict=True)])


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        images, root, engine, share = arguments.child
        child(Path(images), Path(root), engine, share)
        return
    results: dict[str, Any] = {"pairs": f"each image with the next {NEXT}"}
    with tempfile.TemporaryDirectory() as folder:
        photographs = [] if arguments.folder is None else find_images(arguments.folder)
        for size in arguments.sizes if photographs else []:
            images = Path(folder, f"images-{size}")
            images.mkdir()
            for number, name in enumerate(photographs[:size]):
                shutil.copy(arguments.folder / name, images / f"{number:04d}{Path(name).suffix}")
            for engine in arguments.engines:
                row = run_setting(images, Path(folder, f"{engine}-{size}"), engine)
                results.setdefault(engine, {})[f"{size} images"] = row
                print(engine, size, json.dumps(row), flush=True)
        if arguments.million:
            results["million"] = a_million(Path(folder, "million"))
            print("million", json.dumps(results["million"]))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
