"""What the confidence of a localisation is fitted to, and how well it does on sets that it was not fitted to.

usage: scripts/bench localisation_confidence gather SETS RESULTS [--set NAME] [--queries N]
       scripts/bench localisation_confidence fit SETS RESULTS [--save NAME]

RESULTS is the folder that `scripts/bench localisation_sets SETS RESULTS` has filled: its maps are used, and its
localisations count as well. `gather` adds harder ones, of N photographs of each set in map A of the first fold, of
which nothing is known of the camera: the photograph as it is, with only the images of the map that stand farthest (one,
two, three and five); the photograph with all of them, but without most of the keypoints whose matches agree with the
true pose, as if the map had other images (30, 10, 5, 2 and 0 % of them stay, three draws each); and in the mirror, its
right half, its lower two thirds, at half the size and turned a quarter, with the six images that stand nearest.
`fit` estimates coefficients by logistic regression with the signs that they should have, judges each set by those of
the others, and all by the ones in the code, which stay unless others do better.

A localisation is right within 2 degrees and 10 % of the median distance between two cameras of the set. The mirror
image of a place is another place, so none of it is right.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

import measuring
from cyano.atomic import append_line
from cyano.checkpoints import load
from cyano.collection.run import DEFAULT_RUN
from cyano.engine import Recipe
from cyano.formats.poses.absolute_pose import projected
from cyano.geometry import invert_rigid, rigid_motion
from cyano.localisation import LocaliseOptions
from cyano.localisation.output.records import MadeFrom, Record
from cyano.localisation.photograph.cameras import intrinsics_of
from cyano.localisation.photograph.confidence import (
    BIAS,
    CERTAIN,
    RIVAL,
    WEIGHTS,
    Evidence,
    confidence_of,
    features_of,
)
from cyano.localisation.photograph.features import Photograph
from cyano.localisation.photograph.search import Search
from cyano.localisation_evaluation import RIGHT, PosedPhotograph, PosedSet, auc, find_posed_sets
from cyano.localisation_evaluation.folds import Made, folds_of, make_map_a, make_map_b
from cyano.localisation_evaluation.judging import judge
from cyano.localisation_evaluation.matching import RememberingMatcher
from cyano.localisation_evaluation.similarity import Similarity
from cyano.matcher import Matcher
from localisation_sets import done

SEED = 0
FOLDS = 5
HARDER = "harder.jsonl"
NEAREST = 6
FARTHEST = (1, 2, 3, 5)
SHARES = (0.3, 0.1, 0.05, 0.02, 0.0)
DRAWS = 3
AGREES_PX = 12.0
SIGNS = np.array([1, 1, -1])
"""Of the weights: a larger share and more cells speak for a pose, a larger spread against it."""
RIDGE = 1.0
"""Half of it times each squared weight of the standardised features is added to the loss."""

Row = dict[str, Any]


def changes(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """The photograph after each change."""
    width, height = image.size
    yield "mirrored", ImageOps.mirror(image)
    yield "right half", image.crop((width // 2, 0, width, height))
    yield "lower two thirds", image.crop((0, height // 3, width, height))
    yield "half size", image.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    yield "turned", image.transpose(Image.Transpose.ROTATE_90)


def true_pose(kind: str, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a changed photograph: what is turned counterclockwise has its x axis where y pointed upwards."""
    if kind != "turned":
        return pose
    return rigid_motion(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]), np.zeros(3)) @ pose


class Thinned(Search):
    """Loses most of the keypoints whose matches agree with the true pose."""

    truth: PosedPhotograph
    share: float
    draw: int

    def match(self, names: Sequence[str]) -> None:
        """See `Search.match`."""
        super().match(names)
        camera, pose = self.truth.camera, self.truth.T_world_to_camera
        away = projected(self.map.model.points[self.found.points], pose, camera) - self.found.places
        agree = np.unique(self.found.keypoints[np.linalg.norm(away, axis=1) <= AGREES_PX])
        rng = np.random.default_rng((SEED, self.draw))
        stay = rng.permutation(agree)[: round(self.share * len(agree))]
        self.found = self.found.chosen(~np.isin(self.found.keypoints, np.setdiff1d(agree, stay)))


def row(kind: str, posed: PosedSet, truth: PosedPhotograph, record: Record) -> Row:
    """What is kept of a localisation."""
    judged = judge(record, truth, Similarity.identity(), posed.distance)
    finite = {name: getattr(judged, name) for name in ("degrees", "percent")}
    return {
        "set": posed.name,
        "kind": kind,
        "name": truth.name,
        **{name: value if np.isfinite(value) else None for name, value in finite.items()},
        "evidence": None if record.evidence is None else asdict(record.evidence),
    }


def gather(posed: PosedSet, results: Path, count: int) -> None:
    """Localise photographs with few images of the map or few right matches, and changed ones."""
    recipe, folder = Recipe(load()), results / posed.name
    fold = folds_of(posed.photographs, FOLDS)[0]
    make_map_b(posed, fold, recipe, folder, run=DEFAULT_RUN)
    made = make_map_a(posed, fold, recipe, folder)
    matcher = RememberingMatcher.of(recipe)
    path = folder / HARDER
    for truth in fold.queries[:count]:
        there = {each["kind"] for each in rows_of(path) if each["name"] == truth.name}
        for kind, pose, search, names in harder(posed, made, truth, matcher):
            if kind in there:
                continue
            photograph = search.photograph
            found = search.run(names, intrinsics_of(made.map, photograph, None))
            record = Record.of(truth.name, found, MadeFrom("", "", ""), 1)
            beside = PosedPhotograph(truth.name, truth.camera, pose)
            line = row(kind, posed, beside, record)
            append_line(path, json.dumps(line))
            print(json.dumps(line), flush=True)
        matcher.forget()


def harder(
    posed: PosedSet, made: Made, truth: PosedPhotograph, matcher: Matcher
) -> Iterator[tuple[str, NDArray[np.float64], Search, list[str]]]:
    """What is done to a photograph, its true pose then, the search, and the images of the map to match it with."""
    order, options = by_distance(made, truth), LocaliseOptions(expand=False, seed=SEED)
    with Image.open(posed.folder / truth.name) as opened:
        image = opened.convert("RGB")
    photograph = Photograph.read(np.asarray(image), matcher)
    for few in FARTHEST:
        search = Search(made.map, matcher, options, photograph)
        yield f"farthest {few}", truth.T_world_to_camera, search, order[-few:]
    for share in SHARES:
        for draw in range(DRAWS):
            thinned = Thinned(made.map, matcher, options, photograph)
            thinned.truth, thinned.share, thinned.draw = truth, share, draw
            yield f"{share:g} of the matches, draw {draw}", truth.T_world_to_camera, thinned, order
    for kind, changed in changes(image):
        other = Photograph.read(np.asarray(changed), matcher)
        search = Search(made.map, matcher, options, other)
        yield kind, true_pose(kind, truth.T_world_to_camera), search, order[:NEAREST]


def by_distance(made: Made, truth: PosedPhotograph) -> list[str]:
    """The images of a map, the nearest first."""

    def away(name: str) -> float:
        centre = invert_rigid(made.map.image(name).T_world_to_camera)[:3, 3]
        return float(np.linalg.norm(centre - truth.centre))

    return sorted(made.map.names, key=away)


def kind_of(each: Row) -> str:
    """All draws of one kind count as one."""
    return str(each["kind"]).split(", draw")[0]


def rows_of(path: Path) -> list[Row]:
    """The lines of a file, judged by `RIGHT` as it is now."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line | {"right": is_right(line)} for line in map(json.loads, lines)]


def is_right(line: Row) -> bool:
    """Nothing of a mirror image is."""
    if line["kind"] == "mirrored" or line["degrees"] is None:
        return False
    return bool(line["degrees"] <= RIGHT[0] and line["percent"] <= RIGHT[1])


def all_rows(sets: Sequence[PosedSet], results: Path) -> list[Row]:
    """Everything that is known to be right or wrong: what `gather` made, and the evaluation."""
    found, recipe = [], Recipe(load())
    for posed in sets:
        folder = results / posed.name
        found += rows_of(folder / HARDER)
        for trial, outcomes in done(posed, recipe, folder).items():
            for each in outcomes:
                evidence = None if each.record is None or each.record.evidence is None else asdict(each.record.evidence)
                found.append({"set": posed.name, "kind": trial, "name": each.name, "right": each.right,
                              "evidence": evidence})  # fmt: skip
    return found


def fitted(rows: Sequence[Row]) -> tuple[float, NDArray[np.float64]]:
    """Bias and weights of `features_of`, none with a sign against `SIGNS`; each kind of each set counts alike.

    Without the signs, fewer inliers or a smaller share would speak for a pose.
    """
    from scipy.optimize import minimize

    features = np.array([features_of(Evidence(**each["evidence"])) for each in rows])
    middle, scale = features.mean(0), features.std(0)
    standard = (features - middle) / scale
    labels = np.where([each["right"] for each in rows], 1.0, -1.0)
    groups = [(each["set"], kind_of(each)) for each in rows]
    counts = np.array([1 / groups.count(group) for group in groups])
    counts *= len(rows) / counts.sum()

    def loss(asked: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = labels * (asked[0] + standard @ asked[1:])
        slope = -labels * counts / (1 + np.exp(margin))
        value = counts @ np.logaddexp(0, -margin) + RIDGE / 2 * asked[1:] @ asked[1:]
        return float(value), np.concatenate([[slope.sum()], standard.T @ slope + RIDGE * asked[1:]])

    bounds = [(None, None), *((0, None) if sign > 0 else (None, 0) for sign in SIGNS)]
    best = minimize(loss, np.zeros(1 + len(SIGNS)), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(best[0] - best[1:] @ (middle / scale)), best[1:] / scale


def probability(bias: float, weights: NDArray[np.float64], each: Row) -> float:
    """Of being right."""
    if each["evidence"] is None:
        return 0.0
    evidence = Evidence(**each["evidence"])
    rivalry = min(evidence.rival / max(evidence.inliers, 1), 1.0)
    return min(float(1 / (1 + np.exp(-(bias + weights @ features_of(evidence))))), 1 - RIVAL * rivalry)


def of_the_code(each: Row) -> float:
    """What `cyano localise` says."""
    return 0.0 if each["evidence"] is None else confidence_of(Evidence(**each["evidence"]))


def judged(rows: Sequence[Row], confidence: Callable[[Row], float]) -> Row:
    """How well a confidence tells right from wrong, over localisations with and without a pose."""
    values = np.array([confidence(each) for each in rows])
    right = np.array([each["right"] for each in rows])
    posed = np.array([each["evidence"] is not None for each in rows])
    bins = np.clip((values * 5).astype(int), 0, 4)
    return {
        "localisations": len(rows),
        "with a pose": int(posed.sum()),
        "right": int(right.sum()),
        "ok and wrong": int(((values >= CERTAIN) & ~right).sum()),
        "uncertain and right": int(((values < CERTAIN) & right).sum()),
        "AUC": round(auc(values[right].tolist(), values[~right].tolist()), 4),
        "AUC of those with a pose": round(auc(values[right].tolist(), values[~right & posed].tolist()), 4),
        "share right by confidence (0-0.2, ..., 0.8-1)": [
            [int((bins == place)[posed].sum()), round(float(right[posed & (bins == place)].mean()), 3)]
            if (posed & (bins == place)).any()
            else [0, None]
            for place in range(5)
        ],
    }


def fit(sets: Sequence[PosedSet], results: Path) -> Row:
    """Coefficients from all sets, and what those of the other sets say of each."""
    rows = all_rows(sets, results)
    posed = [each for each in rows if each["evidence"] is not None]
    bias, weights = fitted(posed)
    held: dict[int, float] = {}
    for name in sorted({each["set"] for each in rows}):
        others = fitted([each for each in posed if each["set"] != name])
        held |= {id(each): probability(*others, each) for each in rows if each["set"] == name}
    kinds = list(dict.fromkeys(map(kind_of, rows)))
    return {
        "bias": round(bias, 3),
        "weights": [round(float(each), 3) for each in weights],
        "fitted": judged(rows, lambda each: probability(bias, weights, each)),
        "sets held out": judged(rows, lambda each: held[id(each)]),
        "in the code": {"bias": BIAS, "weights": list(WEIGHTS), **judged(rows, of_the_code)},
        "kinds, sets held out": {
            kind: judged([each for each in rows if kind_of(each) == kind], lambda each: held[id(each)])
            for kind in kinds
        },
    }  # fmt: skip


def main() -> None:
    """Parse the arguments, gather or fit, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    gathering = what.add_parser("gather")
    gathering.add_argument("sets", type=Path)
    gathering.add_argument("results", type=Path)
    gathering.add_argument("--set", metavar="NAME")
    gathering.add_argument("--queries", type=int, default=3)
    fitting = what.add_parser("fit")
    fitting.add_argument("sets", type=Path)
    fitting.add_argument("results", type=Path)
    fitting.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    if arguments.what == "gather":
        torch.set_num_threads(1)
        for posed in find_posed_sets(arguments.sets)[0]:
            if arguments.set in (None, posed.name):
                gather(posed, arguments.results, arguments.queries)
        return
    found = fit(find_posed_sets(arguments.sets)[0], arguments.results)
    print(json.dumps(found, indent=1))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, found))


if __name__ == "__main__":
    main()
