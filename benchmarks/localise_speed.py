"""What localising a photograph costs: beside its extraction and its matches, and beside transformers' networks.

usage: scripts/bench localise_speed SETS SET RESULTS [--repeats N] [--save NAME]

RESULTS is the folder `localisation` of `cyano evaluate SETS --sets localisation`: map A of the first fold of SET is
used. These take turns, on one thread:

"localise"                  a warm localisation with the ten images that look most alike, without expansion
"extraction and matches"    of the same photograph with the same ten images, aligned
"transformers"              the steps of hloc with transformers' networks and the same weights: the photograph's
                            features by SuperPoint, its matches with the stored features of the same images by
                            SuperGlue, pair by pair, and one pose of all of them; no alignment

Only ratios within one run count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import transformers
from numpy.typing import NDArray

import cyano
import measuring
from cyano.checkpoints import load
from cyano.collection.run import DEFAULT_RUN
from cyano.engine import Recipe
from cyano.formats.poses.absolute_pose import AbsolutePose, Intrinsics, absolute_pose
from cyano.geometry import rotation_angle_between
from cyano.localisation import LocaliseOptions, Localiser, Map
from cyano.localisation.photograph.search import Search
from cyano.localisation_evaluation import PosedPhotograph, PosedSet, find_posed_sets
from cyano.localisation_evaluation.folds import folds_of, make_map_a, make_map_b
from cyano.processing.images import read
from cyano.types import Features

SEED = 0
SIDE = 640
WEIGHTS = Path(cyano.__file__).parent / "weights" / "cyano-small"


class WithTransformers:
    """The steps of hloc with transformers' networks, on a map's stored features."""

    def __init__(self, place: Map, names: Sequence[str]) -> None:
        self._points = [(place.image(name).points, place.model.points) for name in names]
        self._sides = [_side(place.features(name)) for name in names]
        self._model: Any = transformers.SuperGlueForKeypointMatching.from_pretrained(WEIGHTS)

    @torch.inference_mode()
    def pose(self, path: Path, query: PosedPhotograph) -> AbsolutePose | None:
        """The pose of a photograph."""
        image = read(path).grey
        scale = min(SIDE / max(image.shape), 1.0)
        grey = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = grey.shape
        pixels = torch.from_numpy(np.asarray(grey, np.float32)).expand(1, 3, -1, -1)
        seen = self._model.keypoint_detector(pixels)
        side = seen.keypoints[0] * torch.tensor([width, height]), seen.descriptors[0], seen.scores[0]
        places, points = [], []
        for other, (rows, coordinates) in zip(self._sides, self._points, strict=True):
            found = self._matches(side, other, (height, width))
            known = (found >= 0) & (rows[found] >= 0)
            places.append(((side[0].numpy() + 0.5) / scale - 0.5)[known])
            points.append(coordinates[rows[found[known]]])
        return absolute_pose(
            np.concatenate(places), np.concatenate(points), Intrinsics(query.camera), threshold_px=4.0, seed=SEED
        )

    def _matches(self, side: Sequence[torch.Tensor], other: Sequence[torch.Tensor], size: Any) -> NDArray[np.int64]:
        """For each keypoint of the photograph the row of its match in an image of the map, or -1."""
        most = max(len(side[0]), len(other[0]))
        pair = [
            torch.stack([_filled(one, most), _filled(two, most)])[None] for one, two in zip(side, other, strict=True)
        ]
        mask = torch.tensor([[1] * len(each) + [0] * (most - len(each)) for each in (side[0], other[0])])[None].int()
        matches, _, _, _ = self._model._match_image_pair(*pair, *size, mask=mask)
        return np.asarray(matches[0, 0, : len(side[0])], np.int64)


def _side(features: Features) -> tuple[torch.Tensor, ...]:
    """Keypoints in pixels of the network's picture, descriptors and scores of stored features."""
    return features.network_keypoints.float(), features.descriptors.float(), features.scores.float()


def _filled(values: torch.Tensor, rows: int) -> torch.Tensor:
    """With zeros up to so many rows."""
    return torch.cat([values, values.new_zeros(rows - len(values), *values.shape[1:])])


def timed_poses(spent: list[float]) -> None:
    """Add what each search for a pose takes from now on to a sum."""
    search = Search._best

    def timed(self: Search, sources: object) -> object:
        start = time.process_time()
        found = search(self, sources)  # type: ignore[arg-type]
        spent[0] += time.process_time() - start
        return found

    Search._best = timed  # type: ignore[method-assign, assignment]


def in_turns(contenders: dict[str, Callable[[], object]], repeats: int, spent: list[float]) -> dict[str, list[float]]:
    """Processor seconds of each run, and of the poses of the first contender."""
    cpu: dict[str, list[float]] = {name: [] for name in (*contenders, "poses")}
    first = next(iter(contenders))
    for _ in range(repeats):
        for name, run in contenders.items():
            spent[0], start = 0.0, time.process_time()
            run()
            cpu[name].append(time.process_time() - start)
            if name == first:
                cpu["poses"].append(spent[0])
    return cpu


def results_of(posed: PosedSet, localiser: Localiser, repeats: int) -> dict[str, Any]:
    """What is measured of one photograph of a set."""
    query = folds_of(posed.photographs, 5)[0].queries[0]
    path, camera, place = posed.folder / query.name, query.camera, localiser.map
    names = [each.name for each in localiser.localise(path, camera).candidates]
    theirs, spent = WithTransformers(place, names), [0.0]
    timed_poses(spent)

    def parts() -> None:
        (features,) = localiser.matcher.extract([path])
        list(localiser.matcher.iter_matches((place.features(name), features) for name in names))

    contenders: dict[str, Callable[[], object]] = {
        "localise": lambda: localiser.localise(path, camera),
        "extraction and matches": parts,
        "transformers": lambda: theirs.pose(path, query),
    }
    found = in_turns(contenders, repeats, spent)
    median = {name: statistics.median(seconds) for name, seconds in found.items()}
    times = [other / own for other, own in zip(found["transformers"], found["localise"], strict=True)]
    other = theirs.pose(path, query)
    true = query.T_world_to_camera[:3, :3]
    return {
        "set": posed.name,
        "images matched": len(names),
        "processor seconds, median": {name: round(value, 3) for name, value in median.items()},
        "localise / (extraction and matches)": round(median["localise"] / median["extraction and matches"], 3),
        "share of the poses in percent": round(100 * median["poses"] / median["localise"], 1),
        "transformers / localise": {
            "median": round(statistics.median(times), 2),
            "least": round(min(times), 2),
            "most": round(max(times), 2),
        },
        "degrees from the truth": {
            name: round(float(np.degrees(rotation_angle_between(pose[:3, :3], true))), 4)
            for name, pose in (
                ("localise", localiser.localise(path, camera).T_world_to_camera),
                ("transformers", None if other is None else other.T_world_to_camera),
            )
            if pose is not None
        },
    }


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("set")
    parser.add_argument("results", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    posed = next(each for each in find_posed_sets(arguments.sets)[0] if each.name == arguments.set)
    recipe, fold, folder = Recipe(load()), folds_of(posed.photographs, 5)[0], arguments.results / posed.name
    make_map_b(posed, fold, recipe, folder, run=DEFAULT_RUN)
    place = make_map_a(posed, fold, recipe, folder).map
    results = results_of(
        posed, Localiser(place, LocaliseOptions(all_up_to=0, expand=False, seed=SEED)), arguments.repeats
    )
    print(json.dumps(results, indent=1))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
