"""What confidence follows from: more of what speaks for a pose never lowers it, and its numbers are those measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cyano.localisation.photograph.confidence import BIAS, CERTAIN, WEIGHTS, Evidence, confidence_of

USUAL = Evidence(inliers=200, share=0.8, cells=40, rival=0, spread=0.005)
MEASURED = Path(__file__).parents[3] / "benchmarks" / "results" / "localisation_confidence.json"


@pytest.mark.parametrize(
    "weaker",
    [{"inliers": 20}, {"share": 0.2}, {"cells": 4}, {"rival": 150}, {"spread": 0.2}],
    ids=lambda change: next(iter(change)),
)
def test_weaker_evidence_is_no_more_certain(weaker: dict[str, float]) -> None:
    assert confidence_of(replace(USUAL, **weaker)) <= confidence_of(USUAL)  # type: ignore[arg-type]


def test_a_rival_of_the_same_strength_leaves_no_certainty() -> None:
    strong = Evidence(inliers=5000, share=1.0, cells=64, rival=0, spread=1e-4)
    assert confidence_of(strong) > 0.9
    assert confidence_of(replace(strong, rival=5000)) < CERTAIN
    assert confidence_of(replace(strong, rival=9000)) < CERTAIN


def test_a_dozen_of_many_is_not_certain_and_no_number_is_out_of_range() -> None:
    assert confidence_of(Evidence(inliers=12, share=0.05, cells=8, rival=11, spread=0.1)) < CERTAIN
    for evidence in (Evidence(0, 0.0, 0, 0, 1.0), Evidence(10**6, 1.0, 64, 0, 0.0), Evidence(1, 0.0, 1, 9, 1e300)):
        assert 0 <= confidence_of(evidence) <= 1


def test_the_coefficients_are_those_of_the_measurement_and_none_fitted_to_other_sets_do_better() -> None:
    found = json.loads(MEASURED.read_text())["results"]
    assert (found["in the code"]["bias"], found["in the code"]["weights"]) == (BIAS, list(WEIGHTS))
    for area in ("AUC", "AUC of those with a pose"):
        assert found["in the code"][area] >= found["sets held out"][area]
