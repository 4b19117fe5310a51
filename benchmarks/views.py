"""What searching views gives on pairs with known homographies, and what it costs: right matches and seconds.

usage: scripts/bench views SET/pairs_h.txt [--save NAME]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import measuring
from cyano.evaluation.sets.folders import find_sets
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownHomography
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.result import PairResult

SEED = 0
RIGHT_PX = 3.0  # in the resized images
RESIZE = ResizeRule.longest(640, allow_upscale=True)


def right(result: PairResult, truth: KnownHomography) -> int:
    """How many matches are where the homography says."""
    if not len(result):
        return 0
    expected = cv2.perspectiveTransform(result.keypoints0[None].astype(np.float64), truth.H)[0]
    frame = result.image1.frame
    apart = frame.to_network(expected) - frame.to_network(result.keypoints1.astype(np.float64))
    return int((np.linalg.norm(apart, axis=1) <= RIGHT_PX).sum())


def compare(pair: EvaluationPair, matchers: dict[str, Matcher]) -> dict[str, Any]:
    """One row: with and without views."""
    if not isinstance(pair.truth, KnownHomography):
        raise SystemExit(f"{pair.name1}: its homography is not known")
    row: dict[str, Any] = {}
    for views, matcher in matchers.items():
        start = time.perf_counter()
        result = matcher.match(pair.image0, pair.image1)
        seconds = round(time.perf_counter() - start, 2)
        row[views] = {"matches": len(result), "right": right(result, pair.truth), "seconds": seconds}
    print(pair.name1, json.dumps(row), flush=True)
    return row


def main() -> None:
    """Parse the arguments, compare, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listed", type=Path, metavar="SET/pairs_h.txt")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    (pairs,) = find_sets(arguments.listed.parent)
    options = {views: MatcherOptions(resize=RESIZE, views=views) for views in ("off", "auto")}
    matchers = {name: Matcher.from_pretrained(options=each, device="cpu") for name, each in options.items()}
    rows = {pair.name1: compare(pair, matchers) for pair in pairs.pairs}
    means = {
        views: {what: round(float(np.mean([row[views][what] for row in rows.values()])), 2) for what in kind}
        for views, kind in next(iter(rows.values())).items()
    }
    found = {"weights": matchers["off"].source, "pairs": len(rows), "a pair, in the mean": means, "each": rows}
    print(json.dumps(means))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, found))


if __name__ == "__main__":
    main()
