"""How good the default weights are on posed pairs: AUC, precision and matching score of match_pairs lists.

usage: scripts/bench pose_sets SET/pairs.txt [SET/pairs.txt ...] [--estimators poselib opencv] [--save NAME]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import measuring
from cyano.checkpoints import load
from cyano.evaluation.pair_lists.match_pairs import MatchPairsOptions, match_pairs
from cyano.geometry import RobustOptions
from cyano.options import MatcherOptions
from cyano.pairs import read_pairs
from cyano.processing.resize import ResizeRule

SEED = 0
MATCHING = MatcherOptions(
    resize=ResizeRule.longest(640, allow_upscale=True),
    max_keypoints=1024,
    match_threshold=0.2,
    sinkhorn_iterations=50,
)


def evaluate(listed: Path, estimator: str) -> dict[str, Any]:
    """One row of the table, in percent."""
    robust = RobustOptions(estimator=estimator, threshold_px=1.0, seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        options = MatchPairsOptions(listed.parent, Path(folder), MATCHING, evaluation=robust)
        report = match_pairs(read_pairs(listed), load(), options)
    if report.summary is None or report.failures:
        raise SystemExit(f"{listed}: some pairs failed: {report.failures}")
    row = {name: round(value, 2) for name, value in asdict(report.summary).items()}
    print(listed.parent.name, estimator, json.dumps(row), flush=True)
    return row


def main() -> None:
    """Parse the arguments, evaluate, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", type=Path, nargs="+", metavar="SET/pairs.txt")
    parser.add_argument("--estimators", nargs="+", default=["poselib", "opencv"])
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results = {
        "weights": "cyano-small",
        "protocol": "longest side 640, 1024 keypoints, match threshold 0.2, 50 transport iterations, "
        "pose threshold 1 px in the resized images",
        "sets": {
            listed.parent.name: {estimator: evaluate(listed, estimator) for estimator in arguments.estimators}
            for listed in arguments.lists
        },
    }
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
