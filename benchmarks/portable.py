"""Exported graphs against the networks on real pairs, and what the engines cost.

usage: scripts/bench portable EXPORT SET/pairs.txt [SET/pairs.txt ...] [--per-set N] [--minutes N] [--save NAME]

EXPORT is a folder of `cyano export` with the weights of the wheel. Each pair is resized to two of five sizes, none of
which a graph was traced with. In each engine the detector runs on both images, and the matcher on the features of
torch's fast form, so that a difference of one graph does not count in the other; every fifth pair goes through
pair.onnx. Constant frames are left in on both sides. Times are processor seconds on one thread of one pair at 640x480,
the contenders being processes of their own that take turns, transformers with the same weights among them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import zip_longest
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import measuring
from cyano.checkpoints import load, resolve
from cyano.export.checks import DETECTED, JOINED, MATCHED, compare_pair
from cyano.export.engines import ENGINES, EngineName, engine_version, loaded
from cyano.export.parity import Agreement, compare_keypoints, compare_matches
from cyano.export.reference import Reference, matcher_inputs
from cyano.native import library
from cyano.processing import images
from cyano.reading import read_json

SIZES = ((640, 480), (480, 640), (601, 403), (640, 360), (339, 452))
"""Width and height: landscape, portrait, odd, wide."""

PARTS = {"detector": DETECTED, "matcher": MATCHED, "pair": JOINED}


def pairs(lists: list[Path], per_set: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Grey images, (H, W) float32 in [0, 1], of so many pairs of each set, the sets in turns."""
    rows = [
        [(path.parent, line.split()[:2]) for line in path.read_text().splitlines() if line.strip()] for path in lists
    ]
    picked = [each[:: max(1, len(each) // per_set)][:per_set] for each in rows]
    turns = (row for turn in zip_longest(*picked) for row in turn if row is not None)
    for number, (folder, names) in enumerate(turns):
        greys = [images.read(folder / name).grey for name in names]
        sizes = SIZES[number % 5], SIZES[(number // 5 + number) % 5]
        one, two = (cv2.resize(g, s, interpolation=cv2.INTER_AREA) for g, s in zip(greys, sizes, strict=True))
        yield one, two


def reference(record: dict[str, Any]) -> Reference:
    """The fast forms of the weights that were exported."""
    networks = load(record["weights"]["name"])
    rules = replace(networks.superpoint.config, max_keypoints=record["options"]["max_keypoints"])
    return Reference(networks.superpoint, rules, networks.superglue)


def parity(folder: Path, record: dict[str, Any], lists: list[Path], per_set: int, minutes: float) -> dict[str, Any]:
    """How far the engines agree with torch, until the time is up."""
    until, expected = time.monotonic() + 60 * minutes, reference(record)
    runs = {
        (engine, part): loaded((folder / f"{part}.onnx").read_bytes(), engine, outputs, 1)
        for engine in ENGINES
        for part, outputs in PARTS.items()
    }
    agreements = {key: Agreement() for key in runs}
    doubtful, usual = (record["graphs"][part]["match_threshold"] for part in ("matcher", "pair"))
    count = 0
    for greys in pairs(lists, per_set):
        if time.monotonic() > until:
            break
        sides = expected.detect(greys[0]), expected.detect(greys[1])
        inputs = matcher_inputs(sides, (greys[0].shape, greys[1].shape), (len(sides[0][0]), len(sides[1][0])))
        matches = expected.match(inputs, doubtful)
        for engine in ENGINES:
            for grey, side in zip(greys, sides, strict=True):
                found = runs[engine, "detector"]({"image": grey[None, None]})
                valid = found["valid"].astype(bool)
                kept = found["keypoints"][valid], found["scores"][valid], found["descriptors"][valid]
                compare_keypoints(agreements[engine, "detector"], side, kept)
            compare_matches(agreements[engine, "matcher"], matches, runs[engine, "matcher"](inputs))
            if count % 5 == 0:
                joined = runs[engine, "pair"]({"image0": greys[0][None, None], "image1": greys[1][None, None]})
                compare_pair(agreements[engine, "pair"], expected, greys, joined, usual)
        count += 1
        print(count, {f"{e} {p}": (a.same_keypoints, a.same_matched) for (e, p), a in agreements.items()}, flush=True)
    return {"pairs": count, **{f"{engine}, {part}": each.document() for (engine, part), each in agreements.items()}}


def of_transformers(record: dict[str, Any], image: np.ndarray) -> tuple[Callable[[], object], Callable[[], object]]:
    """Its detector and its whole model on a pair, with the same weights."""
    from transformers import SuperGlueForKeypointMatching

    model = SuperGlueForKeypointMatching.from_pretrained(resolve(record["weights"]["name"])).eval()
    pixels = torch.from_numpy(image)[None, None].expand(2, 3, -1, -1)[None]

    def detect() -> object:
        with torch.inference_mode():
            return model.keypoint_detector(pixels[0, :1])

    def match() -> object:
        with torch.inference_mode():
            return model(pixels)

    return detect, match


def serve(
    connection: Connection, folder: Path, record: dict[str, Any], image: np.ndarray, name: str, kernels: str
) -> None:
    """A contender: each request is one image detected and one pair matched; the answer is their times.

    Of transformers, whose matcher detects as well, the second is the whole of a pair.
    """
    os.environ[library.VARIABLE] = kernels
    torch.set_num_threads(1)
    if name == "transformers":
        works = of_transformers(record, image)
        measuring.timed(works)
        connection.send(name)
        while connection.recv():
            connection.send(measuring.timed(works))
        return
    expected = reference(record)
    side = expected.detect(image)
    inputs = matcher_inputs((side, side), (image.shape, image.shape), (len(side[0]), len(side[0])))
    if name in ENGINES:
        detector, matcher = (
            loaded((folder / f"{part}.onnx").read_bytes(), name, PARTS[part], 1)  # type: ignore[arg-type]
            for part in ("detector", "matcher")
        )
        works = (lambda: detector({"image": image[None, None]}), lambda: matcher(inputs))
    else:
        works = (lambda: expected.detect(image), lambda: expected.match(inputs, 0.05))
    measuring.timed(works)
    connection.send(library.status())
    while connection.recv():
        connection.send(measuring.timed(works))


def speed(folder: Path, record: dict[str, Any], image: np.ndarray, repeats: int) -> dict[str, Any]:
    """Processor seconds, and the median ratio to those of torch in the same turn."""
    contenders = {"torch": "0", "torch with native kernels": "", **dict.fromkeys((*ENGINES, "transformers"), "")}
    given = {name: (folder, record, image, name, kernels) for name, kernels in contenders.items()}
    measured = measuring.in_turns(given, serve, repeats)
    table: dict[str, Any] = {}
    parts = {name: {"detector": 1, "matcher": 3, "pair": None} for name in contenders}
    parts["transformers"].pop("matcher")

    def seconds(name: str, part: str) -> list[float]:
        rounds, place = measured[name][1], parts[name][part]
        if place is not None:
            return [row[place] for row in rounds]
        return [row[3] if name == "transformers" else 2 * row[1] + row[3] for row in rounds]

    for name, part in ((name, part) for name, each in parts.items() for part in each):
        mine = seconds(name, part)
        row = {"cpu_s": round(statistics.median(mine), 4)}
        for other in ("torch", "torch with native kernels"):
            ratios = [a / b for a, b in zip(mine, seconds(other, part), strict=True)]
            row[f"over {other}"] = round(statistics.median(ratios), 3)
        table[f"{name}, {part}"] = row
        print(name, part, row, flush=True)
    return table


def main() -> None:
    """Compare, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("lists", type=Path, nargs="+")
    parser.add_argument("--per-set", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=25, help="of the comparison at most")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = read_json(arguments.export / "export.json")  # type: ignore[assignment]
    engines: tuple[EngineName, ...] = tuple(ENGINES)
    sizes = {part: {name: graph[name] for name in ("bytes", "nodes")} for part, graph in record["graphs"].items()}
    image = cv2.resize(next(pairs(arguments.lists, 1))[0], (640, 480), interpolation=cv2.INTER_AREA)
    results = {
        "weights": record["weights"]["name"],
        "sets": [path.parent.name for path in arguments.lists],
        "engines": {engine: engine_version(engine) for engine in engines},
        "graphs": sizes,
        "speed": speed(arguments.export, record, image, arguments.repeats),
        "parity": parity(arguments.export, record, arguments.lists, arguments.per_set, arguments.minutes),
    }
    if arguments.save:
        measuring.save(arguments.save, 0, results)


if __name__ == "__main__":
    main()
