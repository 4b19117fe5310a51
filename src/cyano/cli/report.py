"""One matched pair with all that is told about it: on the screen, and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cyano.cli.output import UNKNOWN_LICENCE, busy, finite, print_facts, result_console

if TYPE_CHECKING:
    from cyano.evaluation.provenance import Record
    from cyano.geometry import RobustEstimate
    from cyano.options import MatcherOptions
    from cyano.processing.images import ImageSource
    from cyano.result import ImageKeypoints, PairResult

__all__ = ["CORRECT_PX", "MatchedPair", "match_images", "print_report", "to_dict"]

CORRECT_PX = (3, 1)
"""Pixels from the ground truth within which a match counts as right; pictures show the first."""


@dataclass(frozen=True, eq=False)
class MatchedPair:
    """A result and how it came about.

    Attributes:
        result: the correspondences.
        record: weights and options in force.
        load_seconds: to load the networks.
        match_seconds: to read and match the two images.
        errors: (K,) distances of the matches from the ground truth in pixels, NaN where there is none; None
            for a pair without ground truth.
    """

    result: PairResult
    record: Record
    load_seconds: float
    match_seconds: float
    errors: NDArray[np.float64] | None = None


def match_images(
    images: tuple[ImageSource, ImageSource],
    weights: str | None,
    options: MatcherOptions,
    device: str,
    masks: tuple[ImageSource | None, ImageSource | None] = (None, None),
) -> MatchedPair:
    """Load the networks and match two images.

    Raises:
        ImageError: an image or a mask cannot be read or used.
        WeightsError: the weights cannot be loaded.
    """
    with busy("loading the networks"):
        from cyano.checkpoints import load
        from cyano.evaluation.provenance import matching_record
        from cyano.matcher import Matcher

        start = time.perf_counter()
        networks = load(weights)
        matcher = Matcher(networks, options, device=device)
        loaded = time.perf_counter()
    with busy("matching"):
        result = matcher.match(*images, mask0=masks[0], mask1=masks[1])
        matched = time.perf_counter()
    record = matching_record(matcher, networks, options.resize)
    return MatchedPair(result, record, loaded - start, matched - loaded)


def print_report(
    pair: MatchedPair, written: Sequence[tuple[str, Path]], as_json: bool, models: Sequence[RobustEstimate] = ()
) -> None:
    """The summary for people; to stderr where stdout is reserved for JSON."""
    rows = [*_facts(pair, models), *((what, str(path)) for what, path in written)]
    title = f"{pair.result.image0.name} : {pair.result.image1.name}"
    print_facts(result_console(as_json), title, rows)


def _facts(pair: MatchedPair, models: Sequence[RobustEstimate]) -> list[tuple[str, str]]:
    result, record = pair.result, pair.record
    rows = [
        ("keypoints", f"{len(result.image0.keypoints)} and {len(result.image1.keypoints)}"),
        ("matches", str(len(result))),
    ]
    if len(result):
        rows.append(("median score", f"{float(np.median(result.scores)):.2f}"))
    if pair.errors is not None:
        rows.append(("ground truth", _truth_text(pair.errors)))
    rows += [("stretched", _stretched_text(image)) for image in (result.image0, result.image1) if image.stretched]
    for model in models:
        rows += [("model", _model_text(model)), *model.facts()]
    return [
        *rows,
        ("time", f"{pair.match_seconds:.2f} s on {record['device']}, and {pair.load_seconds:.2f} s to load"),
        ("weights", str(record["weights"])),
        ("licence", str(record["licence"] or UNKNOWN_LICENCE)),
    ]


def _stretched_text(image: ImageKeypoints) -> str:
    low, high = image.stretched or (0, 0)
    return f"{image.name} uses {low} to {high} of 65535; these values were spread from black to white (--no-stretch)"


def _truth_text(errors: NDArray[np.float64]) -> str:
    truth = _truth_dict(errors)
    shares = " and ".join(f"{100 * truth[f'within_{px}px']:.1f} % within {px} px" for px in CORRECT_PX)
    return f"{shares} of it, for {truth['known']} of {len(errors)} matches"


def _truth_dict(errors: NDArray[np.float64]) -> dict[str, Any]:
    """How many matches have ground truth, and which share of them is how close to it; 0 for none."""
    known = errors[~np.isnan(errors)]
    shares = {f"within_{px}px": float((known <= px).sum()) / max(len(known), 1) for px in CORRECT_PX}
    return {"known": len(known), **shares}


def _model_text(model: RobustEstimate) -> str:
    return f"{model.message} ({model.options.estimator}, seed {model.options.seed})"


def to_dict(pair: MatchedPair, models: Sequence[RobustEstimate] = ()) -> dict[str, Any]:
    """The document of `--json` and of A_B_matches.json: `PairResult.to_dict` and how it came about."""
    truth = {} if pair.errors is None else {"ground_truth": _truth_dict(pair.errors)}
    return {
        **pair.result.to_dict(),
        **truth,
        "models": [_model_dict(model) for model in models],
        "configuration": dict(pair.record),
        "seconds": {"load": round(pair.load_seconds, 4), "match": round(pair.match_seconds, 4)},
    }


def _model_dict(model: RobustEstimate) -> dict[str, Any]:
    """A model in plain values; matrices are null where there is none."""
    motion = [[finite(float(value)) for value in row] for row in model.T_0to1]
    return {
        "kind": model.kind,
        "status": model.status.value,
        "message": model.message,
        "matrix": model.matrix.tolist() if model.ok else None,
        "T_0to1": motion if model.ok and model.kind == "pose" else None,
        "num_inliers": model.num_inliers,
        "inliers": model.inliers.tolist(),
        "estimator": model.options.estimator,
        "threshold_px": model.threshold_px,
        "confidence": model.options.confidence,
        "max_iterations": model.options.max_iterations,
        "seed": model.options.seed,
    }
