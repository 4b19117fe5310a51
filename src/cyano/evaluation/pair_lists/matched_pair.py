"""One matched pair and how it came about, and its document, as `cyano match --json` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cyano.concise import finite

if TYPE_CHECKING:
    from cyano.evaluation.provenance import Record
    from cyano.geometry import RobustEstimate
    from cyano.result import PairResult

__all__ = ["CORRECT_PX", "MatchedPair", "model_dict", "to_dict", "truth_dict"]

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


def truth_dict(errors: NDArray[np.float64]) -> dict[str, Any]:
    """How many matches have ground truth, and which share of them is how close to it; 0 for none."""
    known = errors[~np.isnan(errors)]
    shares = {f"within_{px}px": float((known <= px).sum()) / max(len(known), 1) for px in CORRECT_PX}
    return {"known": len(known), **shares}


def to_dict(pair: MatchedPair, models: Sequence[RobustEstimate] = ()) -> dict[str, Any]:
    """The document of `--json` and of A_B_matches.json: `PairResult.to_dict` and how it came about."""
    truth = {} if pair.errors is None else {"ground_truth": truth_dict(pair.errors)}
    return {
        **pair.result.to_dict(),
        **truth,
        "models": [model_dict(model) for model in models],
        "configuration": dict(pair.record),
        "seconds": {"load": round(pair.load_seconds, 4), "match": round(pair.match_seconds, 4)},
    }


def model_dict(model: RobustEstimate) -> dict[str, Any]:
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
