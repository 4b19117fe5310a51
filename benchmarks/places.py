"""Real places to train on: every set of photographs is reconstructed, and what the models teach is counted.

usage: scripts/bench places OUT SET [SET ...] [--max-keypoints N] [--top-k N] [--count-only] [--save NAME]

A SET is a folder of photographs of one place, with cameras.txt (file width height focal_px a line, 0 for a focal length
that is not known). Each becomes OUT/NAME, the folder of `cyano reconstruct`, with a link `images` to the photographs,
as `cyano train --reconstruction OUT/NAME` takes it. What is done is not done again, so the same command goes on.

Counted are the images of the model, the points that teach (observed by three images at least) and the pairs by their
overlap; and over the pairs the angle between the cameras, and the scale between the images at the points that both
have observed, in the median and exceeded by a tenth.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.checkpoints import load
from cyano.collection import Collection, reconstruct
from cyano.engine import Recipe
from cyano.errors import CyanoError
from cyano.formats import CameraOptions
from cyano.geometry import rotation_angle_between
from cyano.options import MatcherOptions
from cyano.pairs import PairOptions
from cyano.training.data.places import OVERLAP, Place, read_places

SEED = 0
_EXHAUSTIVE = 20  # images up to which all pairs are matched; of larger sets those that look most alike
_SAME = 1.01  # focal lengths of one lens, by what their files say


def cameras_of(folder: Path) -> CameraOptions:
    """One camera for photographs of one focal length (also where none is known), else one for each."""
    rows = [line.split() for line in (folder / "cameras.txt").read_text().splitlines() if line.strip()]
    sizes = {(int(row[1]), int(row[2])) for row in rows}
    focals = [float(row[3]) for row in rows]
    known = [focal for focal in focals if focal]
    if known and max(known) > _SAME * min(known):
        return CameraOptions()
    if len(known) < len(focals) or len(sizes) > 1:
        return CameraOptions(sharing="all")
    ((width, height),) = sizes
    return CameraOptions(sharing="all", params=(known[0], width / 2, height / 2, 0.0))


def make_model(folder: Path, out: Path, max_keypoints: int, top_k: int) -> None:
    """Reconstruct a set, or what is left to do of it."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "images").exists():
        (out / "images").symlink_to(folder.resolve())
    collection = Collection(folder, out, Recipe(load(), MatcherOptions(max_keypoints=max_keypoints)))
    small = len(collection.names()) <= _EXHAUSTIVE
    pairs = PairOptions() if small else PairOptions("retrieval", top_k=top_k)
    done = reconstruct(collection, pairs, cameras=cameras_of(folder))
    print(folder.name, done.model, flush=True)


def far_apart(place: Place, first: int, second: int) -> tuple[float, float]:
    """The angle between two cameras in degrees, and the scale between their images, at least 1."""
    views = place.model.views[first], place.model.views[second]
    angle = rotation_angle_between(*(view.T_world_to_camera[:3, :3] for view in views))
    common = np.intersect1d(views[0].points, views[1].points)
    sizes = [view.lens.focal_length / view.project(place.model.points.places[common])[1] for view in views]
    scale = float(np.median(sizes[0] / sizes[1]))
    return float(np.degrees(angle)), max(scale, 1 / scale)


def counted(out: Path) -> dict[str, Any]:
    """What a model teaches."""
    (place,) = read_places([out], out / "images")
    shares = np.array([place.overlaps[first, second] for first, second in place.pairs])
    apart = np.array([far_apart(place, first, second) for first, second in place.pairs])
    counts, edges = np.histogram(shares, bins=5, range=OVERLAP)
    bins = {f"{low:.2f}-{high:.2f}": int(count) for count, (low, high) in zip(counts, pairwise(edges), strict=True)}
    (angle, scale), (most_angle, most_scale) = np.median(apart, axis=0), np.quantile(apart, 0.9, axis=0)
    return {
        "images": len(list((out / "images").glob("*.jpg"))),
        "registered": len(place.paths),
        "points": len(place.model.points.places),
        "pairs by overlap": bins,
        "angle degrees, median and 90 %": [round(float(angle), 1), round(float(most_angle), 1)],
        "scale, median and 90 %": [round(float(scale), 2), round(float(most_scale), 2)],
    }


def main() -> None:
    """Parse the arguments, reconstruct, count, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--max-keypoints", type=int, default=1024)
    parser.add_argument("--top-k", type=int, default=12, help="of retrieval, for sets of more than 20 photographs")
    parser.add_argument("--count-only", action="store_true", help="the models that are there")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    for folder in arguments.sets:
        out = arguments.out / folder.name
        try:
            if not arguments.count_only:
                make_model(folder, out, arguments.max_keypoints, arguments.top_k)
            rows[folder.name] = counted(out)
        except CyanoError as error:
            rows[folder.name] = {"nothing to learn from": str(error)}
        print(folder.name, json.dumps(rows[folder.name]), flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, {"sets": rows}))


if __name__ == "__main__":
    main()
