"""What the adapters add to the time of a pair: each beside what `cyano.Matcher` takes for the same, in turns.

usage: scripts/bench adapter_time [--repeats N] [--save NAME]

The weights of the wheel, the demo's stereo pair as grey images of 640 x 480, one thread, processor time. Told
is the median of the ratios of runs that took turns.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from PIL import Image

import measuring
from cyano import Matcher, MatcherOptions
from leaks import adapters
from native import jpegs

SEED = 0
WEIGHTS = "cyano-small"
SAME = {"lightglue": "match", "opencv": "match", "rtabmap": "match_features"}
"""What does the same as an adapter that has no refinement; rtabmap's script only matches."""


def seconds(call: Callable[[], object]) -> float:
    """Processor seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    greys = [np.asarray(Image.open(io.BytesIO(data)).convert("L")) for data in jpegs()]
    images = [cv2.resize(each, (640, 480), interpolation=cv2.INTER_AREA) for each in greys]
    plain, refined = (
        Matcher.from_pretrained(WEIGHTS, options=MatcherOptions(align=align), device="cpu") for align in (False, True)
    )
    sides = plain.extract(images)
    bases: dict[str, Callable[[], object]] = {
        "match, refined": lambda: refined.match(*images),
        "match": lambda: plain.match(*images),
        "match_features": lambda: plain.match_features([(sides[0], sides[1])]),
    }
    calls = adapters(WEIGHTS, images)
    del calls["cyano.Matcher"]
    found: dict[str, list[float]] = {name: [] for name in (*bases, *calls)}
    for call in (*bases.values(), *calls.values()):
        call()
    for _ in range(arguments.repeats):
        for name, call in (bases | calls).items():
            found[name].append(seconds(call))
    results = {}
    for name, own in found.items():
        base = found[name if name in bases else SAME.get(name, "match, refined")]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(own, base, strict=True))
        results[name] = {"processor_s": round(statistics.median(own), 4), "ratio": round(ratio, 3)}
    print(results)
    if arguments.save:
        print(measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
