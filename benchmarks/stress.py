"""The stress set on photographs that training keeps aside: right matches within 3 px and precision, by change.

usage: scripts/bench stress IMAGES [--methods cyano,sift,...] [--weights NAME|PATH] [--max-keypoints N]
           [--keypoint-threshold T] [--out FOLDER] [--save NAME]

With --max-keypoints XFeat has as many keypoints as Cyano, instead of its own 4096.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import measuring
from cyano.checkpoints import load
from cyano.evaluation import suite
from cyano.evaluation.methods import xfeat
from cyano.evaluation.methods.choice import DEFAULT_MATCHING
from cyano.training.data.photographs import find_photographs

SEED = 0
SHOWN = ("keypoints", "matches", "right matches", "precision", "score")


def numbers(result: suite.SetResult) -> dict[str, Any]:
    """All changes together, and each alone."""

    def shown(values: Any) -> dict[str, float]:
        return {name: round(values[name], 2) for name in SHOWN}

    return {**shown(result.values), "changes": {name: shown(values) for name, values in result.changes.items()}}


def as_many(method: Any, count: int) -> Any:
    """XFeat with so many keypoints; other methods as they are."""
    if not isinstance(method, xfeat.XFeatMethod):
        return method
    return xfeat.XFeatMethod(xfeat.XFeatFeatures(DEFAULT_MATCHING.resize, max_keypoints=count))


def main() -> None:
    """Parse the arguments, evaluate, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, metavar="IMAGES")
    parser.add_argument("--methods", default="cyano,cyano-unaligned,mutual-nn,sift,aliked-lightglue")
    parser.add_argument("--weights", help="those of the wheel by default")
    parser.add_argument("--max-keypoints", type=int, metavar="N")
    parser.add_argument("--keypoint-threshold", type=float)
    parser.add_argument("--out", type=Path, help="for the report and its plots, a temporary folder by default")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    _, aside = find_photographs(arguments.images)
    photographs = suite.chosen_photographs(arguments.images, aside)
    matching = DEFAULT_MATCHING
    if arguments.keypoint_threshold is not None:
        matching = replace(matching, keypoint_threshold=arguments.keypoint_threshold)
    if arguments.max_keypoints is not None:
        matching = replace(matching, max_keypoints=arguments.max_keypoints)
    methods, skipped = suite.build_methods(
        suite.method_names(arguments.methods.split(",")), load(arguments.weights), matching
    )
    if arguments.max_keypoints is not None:
        methods = [as_many(method, arguments.max_keypoints) for method in methods]
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        report = suite.evaluate(
            [suite.stress_set(photographs, SEED)], methods, suite.EvaluateOptions(out), skipped=skipped
        )
        suite.write_report(report, out)
    print(suite.to_markdown(report))
    results = {
        "photographs": list(photographs),
        "skipped": skipped,
        "records": {name: dict(record) for name, record in report.methods.items()},
        "methods": {result.method: numbers(result) for result in report.results},
    }
    if arguments.save:
        print(measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
