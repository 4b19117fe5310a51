"""The README's picture: an easy, a hard and a failing pair, drawn as `cyano match --pose` draws them.

    scripts/bench readme_picture CHAIR docs/images/matches.jpg

CHAIR is the folder of 21 views around an armchair, example/sfm/chair of BoofCV-Data (Peter Abeles, CC BY 4.0), resized
to 640 x 480; the stereo pair comes with scikit-image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cyano
from cyano.atomic import write_atomically
from cyano.evaluation.demo_pair import load_demo_pair
from cyano.viz import MatchStyle, draw_matches_image
from cyano.viz.encoding import figure_bytes

WIDTH, HEIGHT = 640, 480
CHAIR = cyano.Camera(461.0, 461.0, 319.5, 239.5)
MOTORCYCLE = [cyano.Camera(994.978, 994.978, cx, 254.877) for cx in (311.193, 311.193 + 31.086)]
PAIRS = {"hard": ("image000.jpg", "image006.jpg"), "failing": ("image000.jpg", "image009.jpg")}


def panel(result: cyano.PairResult, pose: cyano.RobustEstimate) -> NDArray[np.uint8]:
    """Both images, stacked, with inliers and outliers of the pose, on twice as many pixels as they have."""
    images, points = [], []
    for image, keypoints in ((result.image0, result.keypoints0), (result.image1, result.keypoints1)):
        scale = 2 * WIDTH / image.size.width
        size = (2 * WIDTH, round(scale * image.size.height))
        images.append(np.asarray(cv2.resize(image.rgb, size, interpolation=cv2.INTER_CUBIC), np.uint8))
        points.append((keypoints + 0.5) * scale - 0.5)
    style = MatchStyle(stacked=True, counts=False, max_lines=100, gap=16, line_width=2.2, alpha=0.9)
    return draw_matches_image(*images, *points, scores=result.scores, inliers=pose.inliers, style=style)


def main() -> None:
    """Match the three pairs and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chair", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    matcher, stereo = cyano.Matcher.from_pretrained(device="cpu"), load_demo_pair()
    left, right = (each[:, 37:704] for each in (stereo.left, stereo.right))  # to 4:3
    cameras = [cyano.Camera(each.fx, each.fy, each.cx - 37, each.cy) for each in MOTORCYCLE]
    results = {"easy": (matcher.match(left, right), cameras)}
    for name, pair in PAIRS.items():
        results[name] = (matcher.match(*(arguments.chair / each for each in pair)), [CHAIR, CHAIR])
    figure = Figure(figsize=(15.0, 7.8), dpi=100, layout="compressed")
    for axes, (name, (result, known)) in zip(figure.subplots(1, 3), results.items(), strict=True):
        pose = result.relative_pose(*known)
        axes.imshow(panel(result, pose), interpolation="lanczos")
        axes.set_axis_off()
        axes.set_title(f"{name}: {len(result)} matches, {pose.num_inliers} inliers of the pose", fontsize=14)
        print(name, len(result), pose.message)
    write_atomically(arguments.out, figure_bytes(figure, arguments.out.suffix))


if __name__ == "__main__":
    main()
