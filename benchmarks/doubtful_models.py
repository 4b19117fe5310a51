"""How often chance gives a model that is reported as found, and how often a right one is called doubtful.

usage: scripts/bench doubtful_models SETS EVALUATION [--save NAME]

SETS are the pose sets of `cyano evaluate SETS --methods sift --out EVALUATION`, whose matches are used: SIFT's, of
which many are wrong on wide baselines. A pose is right below 10 degrees and wrong above 20. By chance: points anywhere
in two images of 640x480 pixels, 60 times for each number of matches, by both estimators.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.geometry import (
    Camera,
    RobustOptions,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
    pose_error,
)
from cyano.geometry.significance import FALSE_ALARMS, false_alarms
from cyano.pairs import read_pairs

SEED = 0
SETS = ("barn", "fox", "kitti00", "lund_door", "mobilebrick", "tum_fr2desk")
COUNTS = (8, 10, 15, 20, 30, 60, 150)
TRIALS = 60
CAMERA = Camera(600.0, 600.0, 319.5, 239.5)
LIMITS = (1.0, FALSE_ALARMS, 0.01)


def by_chance() -> dict[str, Any]:
    """For each number of matches how many models had fewer expected false alarms than each limit."""
    rng, rows = np.random.default_rng(SEED), {}
    for count in COUNTS:
        alarms = []
        for _ in range(TRIALS):
            points0, points1 = rng.uniform((0, 0), (640, 480), (2, count, 2))
            for estimator in ("poselib", "opencv"):
                options = RobustOptions(estimator)
                for found in (
                    estimate_homography(points0, points1, options),
                    estimate_fundamental(points0, points1, options),
                    estimate_relative_pose(points0, points1, CAMERA, CAMERA, options),
                ):
                    if found.has_model:
                        threshold = found.threshold_px
                        alarms.append(false_alarms(found.kind, found.num_inliers, points0, points1, threshold))
        rows[str(count)] = {"models": len(alarms), **below(alarms)}
    return rows


def below(alarms: list[float]) -> dict[str, int]:
    """How many are at most each limit."""
    return {f"at most {limit:g}": int((np.array(alarms) <= limit).sum()) for limit in LIMITS}


def posed(sets: Path, evaluation: Path) -> Iterator[tuple[float, float]]:
    """The error in degrees and the expected false alarms of each pose."""
    for name in SETS:
        kept = np.load(evaluation / "predictions" / f"{name}.sift.npz")
        for number, pair in enumerate(read_pairs(sets / name / "pairs.txt")):
            if pair.K0 is None or pair.K1 is None or pair.T_0to1 is None:
                raise SystemExit(f"{name}: pairs.txt has no ground truth")
            rows = kept[f"matches_{number}"]
            points0, points1 = (kept[f"keypoints{side}_{number}"][rows[:, side]].astype(np.float64) for side in (0, 1))
            cameras = Camera.from_matrix(pair.K0), Camera.from_matrix(pair.K1)
            found = estimate_relative_pose(points0, points1, *cameras)
            if found.has_model:
                error = pose_error(pair.T_0to1, found.T_0to1[:3, :3], found.T_0to1[:3, 3]).worst
                yield error, false_alarms("pose", found.num_inliers, points0, points1, found.threshold_px)


def main() -> None:
    """Count, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    poses = list(posed(arguments.sets, arguments.evaluation))
    right = [alarms for error, alarms in poses if error < 10]
    wrong = [alarms for error, alarms in poses if error > 20]
    results = {
        "limit": FALSE_ALARMS,
        "by chance, matches": by_chance(),
        "right poses of SIFT's matches": {"poses": len(right), **below(right)},
        "wrong ones": {"poses": len(wrong), **below(wrong)},
    }
    print(json.dumps(results, indent=1))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
