"""What localising a photograph costs: beside its extraction and its matches, and beside transformers' networks.

usage: scripts/bench localise_speed SETS SET RESULTS [--repeats N] [--save NAME]

RESULTS is the folder `localisation` of `cyano evaluate SETS --sets localisation`: map A of the first fold of SET is
used. These take turns, on one thread:

"localise"                  a warm localisation with the ten images that look most alike, without expansion
"extraction and matches"    of the same photograph with the same ten images, aligned
"transformers"              the steps of hloc with transformers' networks and the same weights: the photograph's
                            features by SuperPoint, its matches with the stored features of the same images by
                            SuperGlue, pair by pair, and one pose of all of them; no alignment
"transformers, default"     its features and matches with networks of transformers' default sizes, those of the
                            published SuperGlue, with random weights

Only ratios within one run count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
from cyano.hf import SuperGlueConfig, SuperPointConfig
from cyano.localisation import LocaliseOptions, Localiser, Map
from cyano.localisation.photograph.search import Search
from cyano.localisation_evaluation import PosedPhotograph, PosedSet, find_posed_sets
from cyano.localisation_evaluation.folds import folds_of, make_map_a, make_map_b
from cyano.processing.images import read
from cyano.types import Features
from support.random_weights import pixel_values, random_model, stereo_pair

SEED = 0
SIDE, KEYPOINTS = 640, 1024
WEIGHTS = Path(cyano.__file__).parent / "weights" / "cyano-small"


class Seen(NamedTuple):
    """A picture as transformers' SuperPoint sees it: keypoints in pixels of the network, descriptors and scores."""

    side: tuple[torch.Tensor, ...]
    size: tuple[int, int]
    scale: float


class Networks:
    """transformers' networks, the detector on one picture and the matcher on two sets of features."""

    def __init__(self, folder: Path) -> None:
        self._model: Any = transformers.SuperGlueForKeypointMatching.from_pretrained(folder)
        self._model.keypoint_detector.config.max_keypoints = KEYPOINTS
        self._model.keypoint_detector.keypoint_decoder.max_keypoints = KEYPOINTS

    @torch.inference_mode()
    def extract(self, path: Path) -> Seen:
        """The features of a photograph at `SIDE` pixels."""
        image = read(path).grey
        scale = min(SIDE / max(image.shape), 1.0)
        grey = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = grey.shape
        pixels = torch.from_numpy(np.asarray(grey, np.float32)).expand(1, 3, -1, -1)
        seen = self._model.keypoint_detector(pixels)
        side = seen.keypoints[0] * torch.tensor([width, height]), seen.descriptors[0], seen.scores[0]
        return Seen(side, (height, width), scale)

    @torch.inference_mode()
    def match(self, seen: Seen, other: Sequence[torch.Tensor]) -> NDArray[np.int64]:
        """For each keypoint of a photograph the row of its match in other features, or -1."""
        side = seen.side
        most = max(len(side[0]), len(other[0]))
        pair = [
            torch.stack([_filled(one, most), _filled(two, most)])[None] for one, two in zip(side, other, strict=True)
        ]
        mask = torch.tensor([[1] * len(each) + [0] * (most - len(each)) for each in (side[0], other[0])])[None].int()
        matches, _, _, _ = self._model._match_image_pair(*pair, *seen.size, mask=mask)
        return np.asarray(matches[0, 0, : len(side[0])], np.int64)


class WithTransformers:
    """The steps of hloc with transformers' networks and Cyano's weights, on a map's stored features."""

    def __init__(self, place: Map, names: Sequence[str]) -> None:
        self._points = [(place.image(name).points, place.model.points) for name in names]
        self._sides = [_side(place.features(name)) for name in names]
        self._networks = Networks(WEIGHTS)

    def pose(self, path: Path, query: PosedPhotograph) -> AbsolutePose | None:
        """The pose of a photograph."""
        seen = self._networks.extract(path)
        places, points = [], []
        for other, (rows, coordinates) in zip(self._sides, self._points, strict=True):
            found = self._networks.match(seen, other)
            known = (found >= 0) & (rows[found] >= 0)
            places.append(((seen.side[0].numpy() + 0.5) / seen.scale - 0.5)[known])
            points.append(coordinates[rows[found[known]]])
        return absolute_pose(
            np.concatenate(places), np.concatenate(points), Intrinsics(query.camera), threshold_px=4.0, seed=SEED
        )


class DefaultSizes:
    """Networks of transformers' default sizes with random weights, on features of their own of a map's images."""

    def __init__(self, images: Sequence[Path]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            detector = SuperPointConfig(keypoint_threshold=1e-4, max_keypoints=KEYPOINTS)
            config = SuperGlueConfig(keypoint_detector_config=detector.to_dict())
            random_model(config, pixels=pixel_values(stereo_pair(480, 640))).save_pretrained(folder)
            self._networks = Networks(Path(folder))
        self._sides = [self._networks.extract(path).side for path in images]

    def run(self, path: Path) -> None:
        """The features of a photograph, and its matches with each image."""
        seen = self._networks.extract(path)
        for other in self._sides:
            self._networks.match(seen, other)


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


def spread(others: Sequence[float], own: Sequence[float]) -> dict[str, float]:
    """Ratios of runs that followed each other."""
    times = [other / mine for other, mine in zip(others, own, strict=True)]
    return {"median": round(statistics.median(times), 2), "least": round(min(times), 2), "most": round(max(times), 2)}


def results_of(posed: PosedSet, localiser: Localiser, repeats: int) -> dict[str, Any]:
    """What is measured of one photograph of a set."""
    query = folds_of(posed.photographs, 5)[0].queries[0]
    path, camera, place = posed.folder / query.name, query.camera, localiser.map
    names = [each.name for each in localiser.localise(path, camera).candidates]
    theirs, spent = WithTransformers(place, names), [0.0]
    default = DefaultSizes([posed.folder / name for name in names])
    timed_poses(spent)

    def parts() -> None:
        (features,) = localiser.matcher.extract([path])
        list(localiser.matcher.iter_matches((place.features(name), features) for name in names))

    contenders: dict[str, Callable[[], object]] = {
        "localise": lambda: localiser.localise(path, camera),
        "extraction and matches": parts,
        "transformers": lambda: theirs.pose(path, query),
        "transformers, default": lambda: default.run(path),
    }
    found = in_turns(contenders, repeats, spent)
    median = {name: statistics.median(seconds) for name, seconds in found.items()}
    other = theirs.pose(path, query)
    true = query.T_world_to_camera[:3, :3]
    return {
        "set": posed.name,
        "images matched": len(names),
        "processor seconds, median": {name: round(value, 3) for name, value in median.items()},
        "localise / (extraction and matches)": round(median["localise"] / median["extraction and matches"], 3),
        "share of the poses in percent": round(100 * median["poses"] / median["localise"], 1),
        **{f"{name} / localise": spread(found[name], found["localise"]) for name in list(contenders)[2:]},
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
