"""How exact the true poses of posed sets are: two methods that know nothing of each other against them.

usage: scripts/bench posed_truth SETS [--set NAME ...] [--save NAME]

The relative pose of each two neighbouring images is estimated twice, from Cyano's matches and from SIFT's. Where both
agree with each other much better than with the truth, it is the truth, or its intrinsics, that is inexact, and no
localisation can be shown to be better than that. Over all pairs, random errors of the steps add up as their root, a
systematic one as their sum.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import measuring
from cyano import Matcher, MatcherOptions
from cyano.geometry import Camera, LensCamera, estimate_relative_pose, invert_rigid, rotation_angle_between
from cyano.localisation_evaluation import PosedSet, find_posed_sets

SEED = 0
SETS = ("fox", "kitti00", "lund_door", "tum_fr2desk")
RATIO = 0.75

Pose = NDArray[np.float64]


def pinhole(camera: LensCamera) -> Camera:
    """The camera; those of these sets have no distortion."""
    fx, fy, cx, cy = map(float, camera.params)
    return Camera(fx, fy, cx, cy)


def of_sift(first: Path, second: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matches by SIFT with the ratio test, (K, 2) each."""
    sift, sides = cv2.SIFT.create(4000), []
    for path in (first, second):
        keypoints, descriptors = sift.detectAndCompute(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), None)
        sides.append((np.array([each.pt for each in keypoints], np.float32), descriptors))
    found = cv2.BFMatcher().knnMatch(sides[0][1], sides[1][1], k=2)
    good = [best for best, other in found if best.distance < RATIO * other.distance]
    return sides[0][0][[each.queryIdx for each in good]], sides[1][0][[each.trainIdx for each in good]]


def apart(first: Pose, second: Pose) -> tuple[float, float]:
    """Degrees between two rotations, and between two directions of translation."""
    t, u = (each[:3, 3] / np.linalg.norm(each[:3, 3]) for each in (first, second))
    turned = np.degrees(rotation_angle_between(first[:3, :3], second[:3, :3]))
    return float(turned), float(np.degrees(np.arccos(np.clip(t @ u, -1, 1))))


def chained(steps: list[Pose]) -> Pose:
    """The rotation from the first to the last of some images, from those of neighbours."""
    whole = np.eye(3)
    for step in steps:
        whole = step[:3, :3] @ whole
    return whole


def judged(posed: PosedSet, matcher: Matcher) -> dict[str, Any]:
    """Medians over the neighbours of a set whose pose both methods find, and the rotation over all of these."""
    rows, steps = [], []
    for one, two in pairwise(posed.photographs):
        cameras, files = (
            [pinhole(each.camera) for each in (one, two)],
            [posed.folder / each.name for each in (one, two)],
        )
        result = matcher.match(*files)
        estimates = [
            estimate_relative_pose(*points, *cameras).T_0to1
            for points in ((result.keypoints0, result.keypoints1), of_sift(*files))
        ]
        if not np.isfinite(np.stack(estimates)).all():
            continue
        truth = two.T_world_to_camera @ invert_rigid(one.T_world_to_camera)
        rows.append([*apart(estimates[0], truth), *apart(estimates[1], truth), *apart(*estimates)])
        steps.append((truth, *estimates))
    names = ("Cyano and truth", "SIFT and truth", "Cyano and SIFT")
    medians = np.median(rows, axis=0).reshape(3, 2)
    turned = [chained(list(each)) for each in zip(*steps, strict=True)]
    return {
        "pairs": len(rows),
        **{name: [round(float(each), 3) for each in row] for name, row in zip(names, medians, strict=True)},
        "degrees over all pairs by the truth, Cyano, SIFT": [
            round(float(np.degrees(rotation_angle_between(each, np.eye(3)))), 2) for each in turned
        ],
        "degrees between these over all pairs": [
            round(float(np.degrees(rotation_angle_between(turned[one], turned[two]))), 2)
            for one, two in ((1, 0), (2, 0), (1, 2))
        ],
    }


def main() -> None:
    """Compare, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, metavar="SETS")
    parser.add_argument("--set", action="append", metavar="NAME")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    matcher, results = Matcher.from_pretrained(options=MatcherOptions()), {}
    for posed in find_posed_sets(arguments.sets)[0]:
        if posed.name in (arguments.set or SETS):
            results[posed.name] = judged(posed, matcher)
            print(posed.name, results[posed.name], flush=True)
    if arguments.save:
        print(measuring.save(arguments.save, SEED, {"medians, degrees of rotation and of translation": results}))


if __name__ == "__main__":
    main()
