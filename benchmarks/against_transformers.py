"""Cyano and transformers on the same weights: do they agree, how long does each take, how much memory.

One model of the default configuration with random weights (batch normalisation with statistics of its own), saved once
and loaded by both libraries; a stereo pair at 480x640; the strongest 512, 1024 and 2048 keypoints. What is timed is one
call of the model on the pixels of a pair, and for many images, all pairs of them.

usage: scripts/bench against_transformers [--keypoints 512 1024 2048] [--repeats 5] [--images 20] [--save NAME]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import torch
import transformers
from torch import Tensor

import cyano
import measuring
from cyano.checkpoints import load
from cyano.hf import SuperGlueConfig, SuperGlueForKeypointMatching, SuperPointConfig
from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superglue import KeypointSet, normalize_keypoints
from cyano.options import Precision
from cyano.processing.assignment import mutual_matches
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoints import pick_keypoints, suppress_non_maxima
from support.random_weights import pixel_values, random_model, stereo_pair

HEIGHT, WIDTH = 480, 640
LIBRARIES = ("transformers", "cyano", "cyano mixed", "cyano bfloat16")
THRESHOLD = 1e-4  # low, so that there are enough keypoints for the strongest 2048 to be chosen


def save_model(folder: Path) -> None:
    """The model under test, in the form that both libraries read."""
    detector = SuperPointConfig(keypoint_threshold=THRESHOLD, max_keypoints=1024)
    config = SuperGlueConfig(keypoint_detector_config=detector.to_dict())
    random_model(config, pixels=pixel_values(stereo_pair(HEIGHT, WIDTH))).save_pretrained(folder)


def runner(library: str, folder: Path, keypoints: int) -> Callable[[], Any]:
    """What one library does for one pair: pixels to matches."""
    pixels = pixel_values(stereo_pair(HEIGHT, WIDTH))
    if library == "transformers":
        theirs = transformers.SuperGlueForKeypointMatching.from_pretrained(folder)
        theirs.keypoint_detector.config.max_keypoints = keypoints
        theirs.keypoint_detector.keypoint_decoder.max_keypoints = keypoints
        return lambda: theirs(pixel_values=pixels)
    if library == "cyano mixed":
        return mixed_runner(folder, keypoints, pixels[0, :, :1])
    ours = SuperGlueForKeypointMatching.from_pretrained(folder, transformers_exact=True)
    ours.config.keypoint_detector_config.max_keypoints = keypoints
    if library == "cyano bfloat16":
        ours = ours.to(torch.bfloat16)
    return lambda: ours(pixel_values=pixels)


def mixed_runner(folder: Path, keypoints: int, images: Tensor) -> Callable[[], Any]:
    """What `Matcher` does with precision="mixed", with transformers' rule for the borders."""
    networks = load(folder)
    detector = FastSuperPoint(networks.superpoint)
    matcher = FastSuperGlue(networks.superglue, torch.bfloat16)
    scale = torch.tensor([WIDTH, HEIGHT])

    def run() -> SimpleNamespace:
        dense = detector(images)
        sides, positions = [], []
        for scores, maps in zip(suppress_non_maxima(dense.scores, 4), dense.descriptors, strict=True):
            points, values = pick_keypoints(scores, THRESHOLD, keypoints, sides="top-left")
            descriptors = sample_descriptors(maps, points)
            sides.append(
                KeypointSet(normalize_keypoints(points, (HEIGHT, WIDTH))[None], values[None], descriptors[None])
            )
            positions.append(points / scale)
        found = mutual_matches(matcher(*sides), 0.0)
        return SimpleNamespace(keypoints=[positions], matches=torch.stack([found.matches0, found.matches1], dim=1))

    return run


def matched_positions(output: Any) -> set[tuple[int, int, int, int]]:
    """The matches as pixel positions, since the order of keypoints of equal score may differ."""
    scale = torch.tensor([WIDTH, HEIGHT])
    points0, points1 = ((output.keypoints[0][i].float() * scale).round().long() for i in (0, 1))
    matches: Tensor = output.matches[0, 0]
    index = torch.nonzero(matches >= 0)[:, 0]
    rows = torch.cat([points0[index], points1[matches[index]]], dim=1).tolist()
    return {(a, b, c, d) for a, b, c, d in rows}


def agreement(ours: Any, theirs: Any) -> dict[str, float]:
    """How many matches both have, as a share of all that either has, and of theirs."""
    mine, other = matched_positions(ours), matched_positions(theirs)
    return {
        "matches_cyano": len(mine),
        "matches_transformers": len(other),
        "same_share": round(len(mine & other) / max(len(mine | other), 1), 5),
        "found_again_share": round(len(mine & other) / max(len(other), 1), 5),
    }


def peak_memory(library: str, folder: Path, keypoints: int) -> float:
    """MiB at the peak of a process of its own that loads the model and matches one pair."""
    command = [sys.executable, __file__, "--worker", library, str(folder), "--keypoints", str(keypoints)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return round(float(printed.splitlines()[-1]))


def compare_pairs(folder: Path, keypoints: int, repeats: int, libraries: tuple[str, ...]) -> dict[str, Any]:
    """One row of the table for each library."""
    contenders = {library: runner(library, folder, keypoints) for library in libraries}
    outputs = {library: run() for library, run in contenders.items()}
    seconds = measuring.interleaved(contenders, repeats)
    table: dict[str, Any] = {}
    for library in libraries:
        row: dict[str, Any] = measuring.summary(seconds[library])
        row["peak_MiB"] = peak_memory(library, folder, keypoints)
        if library != "transformers":
            ratios = [a / b for a, b in zip(seconds["transformers"], seconds[library], strict=True)]
            row["times_faster"] = round(float(np.median(ratios)), 2)
            row |= agreement(outputs[library], outputs["transformers"])
        table[library] = row
        print(keypoints, library, json.dumps(row))
    return table


def views(count: int) -> list[np.ndarray]:
    """Overlapping crops of the stereo pair, all 480x640."""
    import skimage.data
    from PIL import Image

    left, right, _ = skimage.data.stereo_motorcycle()
    generator = np.random.default_rng(0)
    crops = []
    for i in range(count):
        source = (left, right)[i % 2]
        scale = generator.uniform(0.75, 1.0)
        height = int(source.shape[0] * scale)
        width = height * WIDTH // HEIGHT
        top = int(generator.integers(0, source.shape[0] - height + 1))
        at = int(generator.integers(0, source.shape[1] - width + 1))
        crop = Image.fromarray(source[top : top + height, at : at + width])
        crops.append(np.asarray(crop.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)))
    return crops


def compare_collections(images: int, their_pairs: int) -> dict[str, Any]:
    """All pairs of some images with the default weights: pairs per second, all steps counted."""
    import time

    from cyano import Matcher
    from cyano.checkpoints.hub import resolve

    photographs = views(images)
    pairs = list(combinations(range(images), 2))
    matcher, aligning = (Matcher(load(), cyano.MatcherOptions(align=align)) for align in (False, True))
    matcher.match(photographs[0], photographs[1])  # not counted: first use
    start = time.perf_counter()
    features = matcher.extract(photographs)
    extracted = time.perf_counter() - start
    matcher.match_features((features[i], features[j]) for i, j in pairs)
    ours = time.perf_counter() - start
    # Alignment, which transformers has not, is not part of the comparison.
    seen = aligning.extract(photographs)
    start = time.perf_counter()
    aligning.match_features((seen[i], seen[j]) for i, j in pairs)
    aligned = time.perf_counter() - start
    theirs = transformers.SuperGlueForKeypointMatching.from_pretrained(resolve())
    grey = [torch.from_numpy(image.mean(2, dtype=np.float32) / 255).expand(3, -1, -1) for image in photographs]
    start = time.perf_counter()
    for i, j in pairs[:their_pairs]:
        theirs(pixel_values=torch.stack([grey[i], grey[j]])[None])
    their_seconds = (time.perf_counter() - start) / their_pairs
    row = {
        "images": images,
        "pairs": len(pairs),
        "weights": "cyano-small",
        "cyano_pairs_per_s": round(len(pairs) / ours, 3),
        "cyano_extraction_s_per_image": round(extracted / images, 4),
        "cyano_matching_s_per_pair": round((ours - extracted) / len(pairs), 4),
        "cyano_alignment_s_per_pair": round((aligned - (ours - extracted)) / len(pairs), 4),
        "transformers_pairs_per_s": round(1 / their_seconds, 3),
        "transformers_pairs_measured": their_pairs,
        "times_faster": round(their_seconds * len(pairs) / ours, 2),
    }
    print(json.dumps(row))
    return row


def compare_precisions() -> dict[str, Any]:
    """How many matches of the default weights stay the same in other precisions, on the stereo pair."""
    left, right = stereo_pair(HEIGHT, WIDTH)
    found = {}
    for precision in get_args(Precision):
        result = cyano.Matcher(load(), cyano.MatcherOptions(precision=precision, align=False)).match(left, right)
        found[precision] = {tuple(row) for row in np.hstack([result.keypoints0, result.keypoints1]).tolist()}
    exact = found["float32"]
    shares = {name: round(len(exact & matches) / len(exact), 4) for name, matches in found.items()}
    print("same matches, default weights", json.dumps(shares))
    return shares


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keypoints", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--images", type=int, default=20, help="0 leaves the collection out")
    parser.add_argument("--transformers-pairs", type=int, default=20, help="pairs that transformers is timed on")
    parser.add_argument("--bfloat16", action="store_true", help="also where the processor only emulates it")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    parser.add_argument("--worker", nargs=2, metavar=("LIBRARY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    if options.worker:
        runner(options.worker[0], Path(options.worker[1]), options.keypoints[0])()
        print(measuring.peak_memory_mib())
        return
    fast = options.bfloat16 or measuring.has_fast_bfloat16()
    libraries = LIBRARIES if fast else LIBRARIES[:2]
    results: dict[str, Any] = {"machine_has_bfloat16": measuring.has_fast_bfloat16()}
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "model")
        for count in options.keypoints:
            results[f"{count} keypoints"] = compare_pairs(Path(folder) / "model", count, options.repeats, libraries)
    if options.images:
        results["collection"] = compare_collections(options.images, options.transformers_pairs)
    results["same matches with the default weights"] = compare_precisions()
    if options.save:
        print("wrote", measuring.save(options.save, 0, results))


if __name__ == "__main__":
    main()
