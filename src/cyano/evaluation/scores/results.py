"""From the pairs of a set to its row in the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.evaluation.methods.prediction_files import PredictionFile
from cyano.evaluation.metrics import AUC_THRESHOLDS, pose_auc
from cyano.evaluation.scores.estimators import Estimators
from cyano.evaluation.scores.judging import PairJudgement, judge
from cyano.evaluation.sets.pair_sets import Kind, KnownChange, PairSet

__all__ = ["ERROR_THRESHOLDS", "MATCH_THRESHOLDS_PX", "PairFailure", "SetResult", "judge_set"]

PIXEL_THRESHOLDS = (1.0, 3.0, 5.0)

ERROR_THRESHOLDS: Mapping[Kind, tuple[float, ...]] = {
    "pose": AUC_THRESHOLDS,
    "depth": AUC_THRESHOLDS,
    "homography": PIXEL_THRESHOLDS,
    "correspondences": PIXEL_THRESHOLDS,
    "stereo": (),
    "change": (),
}
"""Up to where the recall of the models' errors is integrated: degrees for poses, pixels for the others."""

MATCH_THRESHOLDS_PX = PIXEL_THRESHOLDS
"""Up to where a match counts as right, in pixels of the resized image 1 (of a stereo pair, of the original)."""


@dataclass(frozen=True)
class PairFailure:
    """A pair that could not be matched or judged, and why."""

    name0: str
    name1: str
    reason: str


@dataclass(frozen=True, eq=False)
class SetResult:
    """What one method made of one set.

    Attributes:
        set_name: the set.
        kind: what is known of it.
        method: the method.
        num_pairs: that were judged; failed ones are left out of all numbers.
        failures: the others.
        values: numbers by name; shares are in percent.
        changes: of a set of controlled changes, the same numbers of each change alone.
        auc: by the name of the estimator, in percent, one for each of `ERROR_THRESHOLDS`.
        errors: by the name of the estimator, (num_pairs,) errors of the models, see `PairJudgement`.
        residuals: of the matches of all pairs with known truth, in pixels; see `PairJudgement`.
        names: of the judged pairs' images, in the order of `errors`.
        pair_values: of each judged pair, see `PairJudgement`.
    """

    set_name: str
    kind: Kind
    method: str
    num_pairs: int
    failures: tuple[PairFailure, ...]
    values: Mapping[str, float]
    auc: Mapping[str, tuple[float, ...]]
    errors: Mapping[str, NDArray[np.float64]]
    residuals: NDArray[np.float64]
    names: tuple[tuple[str, str], ...]
    pair_values: tuple[Mapping[str, float], ...]
    changes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def judge_set(
    pair_set: PairSet,
    method: str,
    content: PredictionFile,
    estimators: Estimators,
    on_pair: Callable[[], None] = lambda: None,
) -> SetResult:
    """Judge the predictions of a method for a set; images are not needed.

    Args:
        pair_set: the truth.
        method: the name of the method.
        content: its predictions.
        estimators: how to estimate models.
        on_pair: called once for each pair.
    """
    judgements: list[PairJudgement] = []
    names: list[tuple[str, str]] = []
    failures: list[PairFailure] = []
    by_change: dict[str, list[PairJudgement]] = {}
    for pair, prediction in zip(pair_set.pairs, content.predictions, strict=True):
        try:
            if prediction.error:
                raise InputError(prediction.error)
            judgements.append(judge(prediction, pair.truth, estimators))
            names.append((pair.name0, pair.name1))
            if isinstance(pair.truth, KnownChange):
                by_change.setdefault(pair.truth.change, []).append(judgements[-1])
        except InputError as error:
            failures.append(PairFailure(pair.name0, pair.name1, str(error)))
        on_pair()
    kind = pair_set.kind
    by_estimator = {
        name: np.array([judgement.errors[name] for judgement in judgements])
        for name in (judgements[0].errors if judgements else ())
    }
    known = [judgement.residuals[~np.isnan(judgement.residuals)] for judgement in judgements]
    return SetResult(
        pair_set.name,
        kind,
        method,
        len(judgements),
        tuple(failures),
        {**_means(judgements), **(_match_values(known, kind) if judgements else {})},
        {name: _percent(pose_auc(errors, ERROR_THRESHOLDS[kind])) for name, errors in by_estimator.items()},
        by_estimator,
        np.concatenate([np.zeros(0), *known]),
        tuple(names),
        tuple(judgement.values for judgement in judgements),
        {change: _means(judged) for change, judged in by_change.items()},
    )


def _percent(shares: Sequence[float]) -> tuple[float, ...]:
    return tuple(100 * share for share in shares)


_COUNTS = ("matches", "keypoints", "right matches")


def _means(judgements: Sequence[PairJudgement]) -> dict[str, float]:
    """The means of the pairs' values where they are defined; shares become percent."""
    means = {}
    for name in judgements[0].values if judgements else ():
        values = np.array([judgement.values[name] for judgement in judgements])
        defined = values[~np.isnan(values)]
        mean = float(defined.mean()) if defined.size else float("nan")
        means[name] = mean if name in _COUNTS else 100 * mean
    return means


def _match_values(residuals: Sequence[NDArray[np.float64]], kind: Kind) -> dict[str, float]:
    """How close the matches are to the truth.

    The mean matching accuracy (MMA) is the mean over the pairs of their shares of right matches, a pair without matches
    counting as 0; the match precision is the share over the matches of all pairs. The median error is that of the true
    matches, those within the largest threshold: it tells how well keypoints are localised.
    """
    if kind in ("pose", "correspondences"):
        return {}
    pooled = np.concatenate(residuals)
    values = {}
    for threshold in MATCH_THRESHOLDS_PX:
        shares = [float((pair <= threshold).mean()) if len(pair) else 0.0 for pair in residuals]
        values[f"MMA@{threshold:g}"] = 100 * float(np.mean(shares))
    for threshold in MATCH_THRESHOLDS_PX:
        values[f"match precision@{threshold:g}"] = 100 * float((pooled <= threshold).mean()) if len(pooled) else 0.0
    true = pooled[pooled <= MATCH_THRESHOLDS_PX[-1]]
    values["median error"] = float(np.median(true)) if len(true) else float("nan")
    return values
