"""Many pairs of features: a pair on each core against one pair after the other on all cores, and memory of streaming.

usage: scripts/bench many_pairs FOLDER [--images 20] [--pairs N] [--rounds 5] [--memory-pairs 190 1900] [--save NAME]

FOLDER holds photographs, of which the first are taken; `cyano-small`, 1,024 keypoints at 640 pixels, all pairs. Three
ways take turns on parts of the pairs, with alignment and without, in float32 and mixed precision: `iter_matches`; one
call of `match_features` for each pair, on all cores; and that on one core. The processor's time beside that on the
clock tells what threads lose by waiting for each other. Results are compared to the last bit. Memory is the peak of
processes of their own, which drop each result of `iter_matches`, or keep all as `match_features` does, going around
the pairs as often as it takes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import measuring
from cyano import Features, Matcher, MatcherOptions, PairResult
from cyano.engine import find_images
from cyano.options import Precision

PRECISIONS: tuple[Precision, ...] = ("float32", "mixed")
Pairs = Sequence[tuple[Features, Features]]
Way = Callable[[Matcher, Pairs], list[PairResult]]


def _one_by_one(matcher: Matcher, pairs: Pairs) -> list[PairResult]:
    return [matcher.match_features([pair])[0] for pair in pairs]


def _on_one_core(matcher: Matcher, pairs: Pairs) -> list[PairResult]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _one_by_one(matcher, pairs)
    finally:
        torch.set_num_threads(before)


WAYS: dict[str, Way] = {
    "a pair on each core": lambda matcher, pairs: list(matcher.iter_matches(pairs)),
    "one after the other": _one_by_one,
    "one core": _on_one_core,
}


def paths(folder: Path, images: int) -> list[Path]:
    """The first photographs of the folder."""
    found = [folder / name for name in find_images(folder)[:images]]
    if len(found) < images:
        raise SystemExit(f"{folder} holds {len(found)} images; give another folder, or --images {len(found)}")
    return found


def same_share(found: Sequence[PairResult], expected: Sequence[PairResult]) -> float:
    """Share of the pairs whose matches, scores and keypoints are the same to the last bit."""
    same = [
        np.array_equal(a.matches.matches0, b.matches.matches0)
        and np.array_equal(a.matches.scores0, b.matches.scores0)
        and np.array_equal(a.image1.keypoints, b.image1.keypoints)
        for a, b in zip(found, expected, strict=True)
    ]
    return round(float(np.mean(same)), 4)


def compare(matcher: Matcher, pairs: Pairs, rounds: int) -> dict[str, Any]:
    """Seconds of each way; they take turns on parts of the pairs."""
    for way in WAYS.values():
        way(matcher, pairs[: 2 * torch.get_num_threads()])  # not counted: first use allocates and packs
    wall, busy = (dict.fromkeys(WAYS, 0.0) for _ in range(2))
    found: dict[str, list[PairResult]] = {name: [] for name in WAYS}
    ends = np.linspace(0, len(pairs), rounds + 1).astype(int).tolist()
    for start, end in pairwise(ends):
        for name, way in WAYS.items():
            began, began_busy = time.perf_counter(), time.process_time()
            found[name] += way(matcher, pairs[start:end])
            wall[name] += time.perf_counter() - began
            busy[name] += time.process_time() - began_busy
    first = next(iter(WAYS))
    return {
        name: {
            "seconds_per_pair": round(wall[name] / len(pairs), 4),
            "processor_seconds_per_pair": round(busy[name] / len(pairs), 4),
            "times_of_the_first": round(wall[name] / wall[first], 3),
            "same_pairs_as_the_first": same_share(found[name], found[first]),
            "matches_per_pair": round(float(np.mean([len(result) for result in found[name]])), 1),
        }
        for name in WAYS
    }


def compare_all(folder: Path, images: int, limit: int | None, rounds: int) -> dict[str, Any]:
    """All settings."""
    results: dict[str, Any] = {}
    for precision in PRECISIONS:
        matcher = Matcher.from_pretrained(options=MatcherOptions(precision=precision), device="cpu")
        features = matcher.extract(paths(folder, images))
        plain = [replace(each, image=None) for each in features]
        for name, chosen in (("aligned", features), ("not aligned", plain)):
            pairs = list(combinations(chosen, 2))[:limit]
            results[f"{precision}, {name}"] = found = compare(matcher, pairs, rounds)
            print(precision, name, json.dumps(found, indent=1), flush=True)
    return results


def remember(folder: Path, images: int, pairs: int, *, keep: bool) -> None:
    """What a process of its own does: match so many pairs, and tell its peak memory in MiB before and after."""
    matcher = Matcher.from_pretrained(device="cpu")
    features = matcher.extract(paths(folder, images))
    endless = cycle(combinations(features, 2))
    list(matcher.iter_matches(islice(endless, 4 * torch.get_num_threads())))
    before = measuring.peak_memory_mib()
    results = matcher.iter_matches(islice(endless, pairs))
    kept = list(results) if keep else [len(result) for result in results]
    print(json.dumps({"peak_before_MiB": round(before), "peak_MiB": round(measuring.peak_memory_mib())}), len(kept))


def compare_memory(folder: Path, images: int, counts: Sequence[int]) -> dict[str, Any]:
    """Peak memory by the number of pairs, streamed and kept."""
    results = {}
    for kind in ("streamed", "kept"):
        for count in counts:
            arguments = [str(folder), "--images", str(images), "--worker", kind, str(count)]
            run = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
            text, _, _ = run.stdout.splitlines()[-1].rpartition(" ")
            results[f"{count} pairs, {kind}"] = json.loads(text)
            print(count, kind, text, flush=True)
    return results


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of photographs")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--pairs", type=int, help="of all, the first so many")
    parser.add_argument("--rounds", type=int, default=5, help="parts of the pairs, on which the ways take turns")
    parser.add_argument("--memory-pairs", type=int, nargs="*", default=[190, 1900])
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    parser.add_argument("--worker", nargs=2, metavar=("KIND", "PAIRS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder, images = arguments.folder, arguments.images
    if arguments.worker:
        kind, count = arguments.worker
        remember(folder, images, int(count), keep=kind == "kept")
        return
    results = {
        "images": images,
        "weights": "cyano-small",
        "matching": compare_all(folder, images, arguments.pairs, arguments.rounds),
        "memory": compare_memory(folder, images, arguments.memory_pairs),
    }
    if arguments.save:
        print(measuring.save(arguments.save, 0, results))


if __name__ == "__main__":
    main()
