"""What `cyano reconstruct` makes of posed sets: images registered, and relative poses against the ground truth.

usage: scripts/bench reconstructions SET [SET ...] [--cameras image|folder|all] [--known] [--save NAME]

A SET is a folder with pairs.txt in the match_pairs format. All of its images are reconstructed with the command's own
defaults; with --known, with the intrinsics of the set's pairs, which are kept (they have to be the same in all
pairs). The errors are the larger of the angles of rotation and of direction of translation, in degrees, of those
listed pairs of which both images are in the largest model.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.checkpoints import load
from cyano.collection import Collection, reconstruct
from cyano.engine import Recipe
from cyano.formats import CameraOptions, MappingOptions, Sharing, read_model
from cyano.geometry import pose_error
from cyano.pairs import Pair, read_pairs

SEED = 0


def known_camera(pairs: list[Pair]) -> CameraOptions:
    """The one camera that took all images, in COLMAP's pixels."""
    matrices = {matrix.tobytes(): matrix for pair in pairs for matrix in (pair.K0, pair.K1) if matrix is not None}
    if len(matrices) != 1:
        raise SystemExit(f"--known takes sets with one camera, not {len(matrices)}")
    K = next(iter(matrices.values()))
    return CameraOptions("PINHOLE", "all", (K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5))


def evaluate(folder: Path, sharing: Sharing, *, known: bool) -> dict[str, Any]:
    """One set."""
    listed = read_pairs(folder / "pairs.txt") if (folder / "pairs.txt").exists() else []
    cameras = known_camera(listed) if known else CameraOptions(sharing=sharing)
    images = folder / "images"
    with tempfile.TemporaryDirectory() as out:
        collection = Collection(images, Path(out), Recipe(load()))
        start = time.perf_counter()
        done = reconstruct(collection, cameras=cameras, mapping=MappingOptions(keep_cameras=known))
        seconds = time.perf_counter() - start
        model = read_model(collection.sparse / "0")
    poses = dict(zip(model.names, model.T_world_to_camera, strict=True))
    errors = []
    for pair in listed:
        name0, name1 = (Path(name).relative_to("images").as_posix() for name in (pair.name0, pair.name1))
        if name0 in poses and name1 in poses and pair.T_0to1 is not None:
            motion = poses[name1] @ np.linalg.inv(poses[name0])
            errors.append(pose_error(pair.T_0to1, motion[:3, :3], motion[:3, 3]).worst)
    row: dict[str, Any] = {
        "images": done.model.images,
        "registered": done.model.registered,
        "models": done.model.models,
        "points": done.model.points,
        "mean track length": round(done.model.mean_track_length, 2),
        "reprojection error px": round(done.model.mean_reprojection_error, 3),
        "pairs with truth": len(listed),
        "of them in the model": len(errors),
        "seconds": round(seconds, 1),
    }
    if errors:
        row["median error degrees"] = round(float(np.median(errors)), 3)
        row["90 % below degrees"] = round(float(np.quantile(errors, 0.9)), 3)
    print(folder.name, json.dumps(row), flush=True)
    return row


def main() -> None:
    """Parse the arguments, reconstruct, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--cameras", choices=("image", "folder", "all"), default="all")
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    rows = {folder.name: evaluate(folder, arguments.cameras, known=arguments.known) for folder in arguments.sets}
    if arguments.save:
        how = {"cameras": "known" if arguments.known else arguments.cameras}
        print("wrote", measuring.save(arguments.save, SEED, how | {"sets": rows}))


if __name__ == "__main__":
    main()
