"""Whether the models of `cyano reconstruct` can be trusted: images registered and taken out, and what truth there is.

usage: scripts/bench sound_models SET [SET ...] [--seeds N] [--most N] [--keep DIR] [--save NAME]

A SET is a folder of images, or has one named images. Of larger ones, so many images spread over the set are taken
(--most, 20: as SIFT's numbers are of). Each image has its own camera, and options are the command's defaults. Told are

- registered, taken out and the verdict, beside the images that SIFT registered, from the table in ../README.md;
- focal lengths over those of cameras.txt, where a file gives them, and over each other: a set is mostly of one camera;
- the relative poses of pairs.txt against the ground truth: the larger of the errors of rotation and direction, in
  degrees, of the listed pairs of which both images are in the model.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.checkpoints import load
from cyano.checkpoints.loading import Networks
from cyano.collection import Collection, align_images, extract_images, match_pairs, select_pairs, write_database
from cyano.engine import Recipe
from cyano.errors import CyanoError
from cyano.formats import MappingOptions, ModelSummary, SparseModel, read_model, sparse_model
from cyano.geometry import pose_error
from cyano.pairs import read_pairs

IMAGES = {".jpg", ".png"}


def spread(folder: Path, most: int, target: Path) -> Path:
    """A folder of at most so many images of a set."""
    inside = folder / "images" if (folder / "images").is_dir() else folder
    images = sorted(path for path in inside.iterdir() if path.suffix.lower() in IMAGES)
    if len(images) <= most:
        return inside
    target.mkdir(parents=True, exist_ok=True)
    for place in np.unique(np.linspace(0, len(images) - 1, most).round().astype(int)):
        shutil.copy(images[place], target)
    return target


def sift(folder: Path) -> str | None:
    """The sizes of SIFT's models, from the table beside the sets."""
    table = folder.parent / "README.md"
    found = table.exists() and re.search(rf"^\| {re.escape(folder.name)} \|.*\| ([^|]*) \|$", table.read_text(), re.M)
    return found[1] if found else None


def focal_lengths(folder: Path, model: SparseModel) -> dict[str, Any]:
    """Focal lengths over their longest side, and over the true ones."""
    ratios = 0.5 / model.half_views.max(axis=1)
    row: dict[str, Any] = {
        "focal length / longest side": [round(float(v), 3) for v in np.quantile(ratios, (0, 0.5, 1))]
    }
    truth = {}
    if (folder / "cameras.txt").exists():
        for line in (folder / "cameras.txt").read_text().splitlines():
            name, width, height, focal = line.rsplit(maxsplit=3)
            truth[name] = float(focal) / max(float(width), float(height))
    over = [ratio / truth[name] for name, ratio in zip(model.names, ratios, strict=True) if truth.get(name)]
    if over:
        row["over the true one"] = [round(float(value), 3) for value in np.quantile(over, (0, 0.5, 1))]
    return row


def poses(folder: Path, model: SparseModel) -> dict[str, Any]:
    """Errors of relative poses."""
    if not (folder / "pairs.txt").exists():
        return {}
    found = dict(zip(model.names, model.T_world_to_camera, strict=True))
    errors = []
    for pair in read_pairs(folder / "pairs.txt"):
        name0, name1 = (Path(name).relative_to("images").as_posix() for name in (pair.name0, pair.name1))
        if name0 in found and name1 in found and pair.T_0to1 is not None:
            motion = found[name1] @ np.linalg.inv(found[name0])
            errors.append(pose_error(pair.T_0to1, motion[:3, :3], motion[:3, 3]).worst)
    if not errors:
        return {}
    middle, most, worst = np.quantile(errors, (0.5, 0.9, 1))
    return {"pairs": len(errors), "degrees: median, 90 %, worst": [round(float(v), 2) for v in (middle, most, worst)]}


def evaluate(folder: Path, networks: Networks, keep: Path, most: int, seeds: int) -> list[dict[str, Any]]:
    """One set, a row for each seed."""
    collection = Collection(spread(folder, most, keep / "images" / folder.name), keep / folder.name, Recipe(networks))
    extract_images(collection)
    match_pairs(collection, select_pairs(collection).pairs)
    align_images(collection)
    database = write_database(collection)
    rows = []
    for seed in range(seeds):
        row: dict[str, Any] = {"seed": seed, "images": database.images, "sift": sift(folder)}
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            sparse = Path(scratch) / "sparse"
            try:
                summary = sparse_model(collection.database, None, sparse, MappingOptions(seed=seed))
                row |= told(summary) | focal_lengths(folder, read_model(sparse / "0"))
                row |= poses(folder, read_model(sparse / "0"))
            except CyanoError as error:
                row["error"] = str(error).replace(str(collection.database), "the database")
        row["seconds"] = round(time.perf_counter() - start, 1)
        print(folder.name, json.dumps(row), flush=True)
        rows.append(row)
    return rows


def told(summary: ModelSummary) -> dict[str, Any]:
    """What the command says."""
    return {
        "registered": summary.registered,
        "models": summary.models,
        "taken out": summary.taken_out,
        "sound": summary.sound,
        "verdict": summary.verdict,
        "mapper": summary.mapper,
        "starts": summary.starts,
        "points": summary.points,
        "mean track length": round(summary.mean_track_length, 2),
        "reprojection error px": round(summary.mean_reprojection_error, 3),
        "agreement": round(summary.agreement, 3),
        "ray angle degrees": round(summary.ray_angle, 2),
    }


def main() -> None:
    """Parse the arguments, reconstruct, print, and save where asked after each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--seeds", type=int, default=1, help="from 0 on")
    parser.add_argument("--most", type=int, default=20, help="images of a set")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep features and matches there")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    networks, results = load(), {}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in arguments.sets:
            keep = arguments.keep or Path(scratch)
            results[folder.name] = evaluate(folder, networks, keep, arguments.most, arguments.seeds)
            if arguments.save:
                measuring.save(arguments.save, 0, {"most images": arguments.most, "sets": results})


if __name__ == "__main__":
    main()
