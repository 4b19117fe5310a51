"""Memory that many calls leave behind: the matcher, each adapter, and cyano-runtime with each engine.

Networks and images are small, since what is kept of a call does not depend on how well it matches. vismatch and hloc
are stand-ins. A call that keeps 10 kB on purpose shows that the measurement finds such.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cyano import Matcher
from cyano.adapters import kornia, lightglue, opencv, original, rtabmap
from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.huggingface import save_folder
from cyano_runtime import Matcher as Runtime
from cyano_runtime import engines
from measuring import save
from support.hosts import write_hloc, write_vismatch
from support.networks import SMALL_SUPERGLUE, SMALL_SUPERPOINT, random_superglue, random_superpoint
from support.tiny_export import write_tiny_export

MOST_MB = 5.0
WARM = 100
"""Calls that are not counted: they fill caches."""

Call = Callable[[], object]


def write_weights(folder: Path) -> None:
    """A detector of 24 keypoints and a matcher of two layers."""
    rules = replace(SMALL_SUPERPOINT, keypoint_localisation="structure", keypoint_threshold=1e-6, max_keypoints=24)
    matching = replace(
        SMALL_SUPERGLUE, gnn_layers_types=("self", "cross"), sinkhorn_iterations=5, matching_threshold=0.01
    )
    networks = random_superpoint(rules).state_dict(), random_superglue(matching).state_dict()
    save_folder(folder, Checkpoint(rules, networks[0], matching, networks[1]))


def adapters(weights: str, images: list[Any]) -> dict[str, Call]:
    """A call of each face that is there without its program."""
    tensors = [torch.from_numpy(each).float()[None, None] / 255 for each in images]
    pair = {"image0": tensors[0], "image1": tensors[1]}
    matcher = Matcher.from_pretrained(weights, device="cpu")
    matching = original.Matching({"superglue": {"weights": weights}})
    extractor, glue = lightglue.SuperPoint(weights=weights), lightglue.LightGlue(weights=weights)
    pairs, features = kornia.CyanoMatcher(weights), opencv.CyanoFeatures(matcher)
    words = opencv.CyanoDescriptorMatcher(matcher)
    sides = [_arrays(each) for each in matcher.extract(images)]
    iterations = matcher.assignment.sinkhorn_iterations
    rtabmap.init(sides[0][2].shape[1], matcher.assignment.matching_threshold, iterations, 0, weights)
    both = [array for arrays in zip(*sides, strict=True) for array in arrays]

    def by_opencv() -> object:
        (points0, rows0), (points1, rows1) = (features.detectAndCompute(each, None) for each in images)
        size = images[0].shape[::-1]
        words.setPairInfo(points0, points1, size, size)
        return words.match(rows0, rows1)

    return {
        "cyano.Matcher": lambda: matcher.match(*images),
        "original": lambda: matching(pair),
        "lightglue": lambda: glue({name: extractor.extract(each, resize=None) for name, each in pair.items()}),
        "kornia": lambda: pairs(pair),
        "opencv": by_opencv,
        "rtabmap": lambda: rtabmap.match(*both, *images[0].shape[::-1]),
    }


def _arrays(features: Any) -> list[Any]:
    """Keypoints, scores and descriptors as rtabmap gives them."""
    return [getattr(features, name).numpy() for name in ("keypoints", "scores", "descriptors")]


def hosted(weights: str, images: list[Any], folder: Path) -> dict[str, Call]:
    """A call of each face that needs its program, for which there is a stand-in."""
    write_hloc(folder)
    write_vismatch(folder)
    sys.path.insert(0, str(folder))
    colours = [torch.from_numpy(each).float().expand(3, -1, -1) / 255 for each in images]
    vismatch = importlib.import_module("cyano.adapters.vismatch").matcher_class()(weights=weights)
    importlib.import_module("cyano.adapters.hloc").register()
    load = importlib.import_module("hloc.utils.base_model").dynamic_load
    extract = load(importlib.import_module("hloc.extractors"), "cyano")({"name": "cyano", "weights": weights})
    match = load(importlib.import_module("hloc.matchers"), "cyano")({"name": "cyano", "weights": weights})

    def by_hloc() -> object:
        data: dict[str, Any] = {}
        for side, each in zip("01", colours, strict=True):
            found = extract({"image": each[:1][None]})
            data |= {f"{name}{side}": found[name][0][None] for name in ("keypoints", "scores", "descriptors")}
            data[f"image{side}"] = each[None]
        return match(data)

    return {"vismatch": lambda: vismatch(*colours), "hloc": by_hloc}


def runtimes(folder: Path) -> dict[str, Call]:
    """A call of the runtime with each engine that is installed, on graphs whose keypoints are given."""
    write_tiny_export(folder)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (120, 160), dtype=np.uint8) for _ in range(2)]
    there = [name for name, version in engines.available().items() if version is not None]
    matchers = {name: Runtime(folder, name) for name in there}  # type: ignore[arg-type]
    return {f"runtime, {name}": lambda each=each: each.match(*images) for name, each in matchers.items()}


def held_mb() -> float:
    """Memory of this process, without what the allocator has at hand."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def grown(call: Call, calls: int) -> dict[str, float]:
    """MB that so many calls leave behind, and their processor seconds."""
    for _ in range(WARM):
        call()
    before, start = held_mb(), time.process_time()
    for _ in range(calls):
        call()
    seconds = time.process_time() - start
    return {"MB": round(held_mb() - before, 2), "processor_s": round(seconds, 2)}


def main() -> None:
    """Measure, print, save; end with 1 where something leaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    calls = parser.parse_args().calls
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (40, 48), dtype=np.uint8) for _ in range(2)]
    kept: list[bytes] = []
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), str(Path(name, "weights"))
        write_weights(Path(weights))
        subjects = adapters(weights, images) | hosted(weights, images, folder) | runtimes(folder / "export")
        results = {name: grown(each, calls) for name, each in subjects.items()}
        control = grown(lambda: kept.append(os.urandom(10_000)), calls)
    results["kept on purpose, 10 kB a call"] = control
    print(json.dumps(results, indent=1))
    print(save("leaks", 0, {"calls": calls, "most_MB": MOST_MB} | results))
    if control["MB"] < 0.009 * calls:
        sys.exit("the measurement misses what is kept")
    if leaking := [name for name, each in results.items() if each["MB"] > MOST_MB and each is not control]:
        sys.exit(f"memory is left behind by {', '.join(leaking)}")


if __name__ == "__main__":
    main()
