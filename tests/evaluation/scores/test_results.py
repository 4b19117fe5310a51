from __future__ import annotations

import math

import numpy as np
import pytest

from cyano.evaluation import pose_auc
from cyano.evaluation.methods.prediction import PairPrediction, failed_prediction
from cyano.evaluation.methods.prediction_files import PredictionFile
from cyano.evaluation.scores.estimators import Estimators
from cyano.evaluation.scores.results import judge_set
from cyano.evaluation.sets.pair_sets import EvaluationPair, KnownHomography, PairSet
from support.predictions import prediction

SHIFT = np.array([[1.0, 0, 10], [0, 1, -6], [0, 0, 1]])
GRID = np.stack(np.meshgrid(np.arange(30.0, 600, 60), np.arange(30.0, 450, 60)), axis=-1).reshape(-1, 2)


def planes(count: int) -> PairSet:
    """So many pairs related by `SHIFT`; nobody reads their images."""
    return PairSet("planes", [EvaluationPair(f"{i}a", f"{i}b", "a", "b", KnownHomography(SHIFT)) for i in range(count)])


def shifted_by(error_px: float, count: int = len(GRID)) -> PairPrediction:
    """So many matches, all of them off by so much."""
    points = GRID[:count]
    return prediction(points, points + np.array([10 + error_px, -6]))


def test_a_set_is_the_mean_of_its_pairs() -> None:
    made = [shifted_by(0.5), shifted_by(2), shifted_by(4, 20), prediction(np.zeros((0, 2)), np.zeros((0, 2)))]
    result = judge_set(planes(4), "m", PredictionFile({}, tuple(made)), Estimators(("poselib",)))
    assert result.num_pairs == 4
    counts = [len(GRID), len(GRID), 20, 0]
    assert result.values["matches"] == np.mean(counts)
    # MMA over pairs, the empty one counting 0; precision over matches
    assert result.values["MMA@1"] == pytest.approx(25)
    assert result.values["MMA@3"] == pytest.approx(50)
    assert result.values["MMA@5"] == pytest.approx(75)
    assert result.values["match precision@1"] == pytest.approx(100 * counts[0] / sum(counts))
    assert result.values["match precision@3"] == pytest.approx(100 * 2 * counts[0] / sum(counts))
    # as many at 0.5 as at 2, and 20 at 4: the middle one of all is at 2
    assert result.values["median error"] == pytest.approx(2, abs=1e-4)
    # 1e-2 px of the estimates move the area by less than 1 percent
    assert result.auc["dlt"] == pytest.approx([100 * x for x in pose_auc([0.5, 2, 4, math.inf], (1, 3, 5))], abs=1)


def test_failed_pairs_are_named_and_left_out() -> None:
    content = PredictionFile({}, (shifted_by(0), failed_prediction("a.png is damaged")))
    result = judge_set(planes(2), "m", content, Estimators(("poselib",)))
    assert result.num_pairs == 1
    assert result.values["MMA@1"] == 100
    assert [(failure.name0, failure.reason) for failure in result.failures] == [("1a", "a.png is damaged")]


def test_a_set_of_failures_has_no_numbers() -> None:
    result = judge_set(planes(1), "m", PredictionFile({}, (failed_prediction("gone"),)), Estimators())
    assert (result.num_pairs, result.values, result.auc) == (0, {}, {})
