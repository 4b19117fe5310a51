"""The stress set: its pairs, the score of methods whose matches are known, and what the report says of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cyano.errors import InputError, MissingExtraError
from cyano.evaluation.methods.prediction import failed_prediction
from cyano.evaluation.methods.prediction_files import PredictionFile
from cyano.evaluation.scores.estimators import Estimators
from cyano.evaluation.scores.judging import judge
from cyano.evaluation.scores.results import SetResult, judge_set
from cyano.evaluation.suite import (
    EvaluateOptions,
    KnownChange,
    PairSet,
    build_methods,
    chosen_photographs,
    evaluate,
    pictures_of_skimage,
    stress_set,
    to_dict,
    write_report,
)
from cyano.geometry import warp_points
from cyano.synthesis.changes import CHANGES, Change
from support.predictions import prediction

NAMED = {change.name: change for change in CHANGES}
HALF, QUARTER_TURN, TILT = NAMED["scale 1/2"], NAMED["turn 90"], NAMED["tilt 45"]
GRID = np.stack(np.meshgrid(np.linspace(200, 440, 20), np.linspace(150, 330, 20)), axis=-1).reshape(-1, 2)
Places = NDArray[np.float64]


@pytest.fixture(scope="module")
def pair_set() -> PairSet:
    return stress_set({"astronaut": data.astronaut()[:384]}, changes=CHANGES)


def judged(pair_set: PairSet, matched: Callable[[NDArray[np.float64]], tuple[Places, Places]]) -> SetResult:
    """A method whose matches are those of a function of the true homography."""
    predictions = []
    for pair in pair_set.pairs:
        assert isinstance(pair.truth, KnownChange)
        predictions.append(prediction(*matched(pair.truth.H)))
    return judge_set(pair_set, "made", PredictionFile({}, tuple(predictions)), Estimators())


def test_pairs_and_their_names(pair_set: PairSet) -> None:
    assert (pair_set.name, pair_set.kind) == ("stress", "change")
    assert len(pair_set.pairs) == len(CHANGES)
    first = pair_set.pairs[0]
    assert (first.name0, first.name1) == ("astronaut", "astronaut blur 2")
    assert {np.asarray(pair.image1).shape for pair in pair_set.pairs} == {(480, 640, 3)}  # 384x512 before


def test_a_perfect_method_scores_100(pair_set: PairSet) -> None:
    result = judged(pair_set, lambda H: (GRID, warp_points(H, GRID)))
    assert result.values["score"] == result.values["precision"] == 100
    assert result.values["right matches"] == len(GRID)
    assert list(result.changes) == [change.name for change in CHANGES]


def test_a_method_that_matches_all_to_wrong_places_scores_0(pair_set: PairSet) -> None:
    result = judged(pair_set, lambda H: (GRID, warp_points(H, GRID[::-1]) + np.array([0.0, 7])))
    assert result.values["score"] == result.values["precision"] == result.values["right matches"] == 0


def test_a_method_without_matches_scores_0(pair_set: PairSet) -> None:
    result = judged(pair_set, lambda _: (np.zeros((0, 2)), np.zeros((0, 2))))
    assert result.values["score"] == result.values["precision"] == 0


def test_the_score_ends_at_300_and_is_the_mean_of_the_pairs() -> None:
    """150 right of 200 are half of 300; 400 right are no more than 300."""
    pair_set = stress_set({"astronaut": data.astronaut()[:384]}, changes=(HALF, TILT))

    def matched(H: NDArray[np.float64]) -> tuple[Places, Places]:
        there = warp_points(H, GRID)
        if np.allclose(H[2], (0, 0, 1)):  # at half its size
            there[150:200] += 50
            return GRID[:200], there[:200]
        return GRID, there

    result = judged(pair_set, matched)
    assert result.changes["scale 1/2"]["score"] == pytest.approx(50)
    assert result.changes["scale 1/2"]["precision"] == pytest.approx(75)
    assert result.changes["scale 1/2"]["right matches"] == 150
    assert result.changes["tilt 45"]["score"] == 100
    assert result.values["score"] == pytest.approx(75)


def test_distances_are_those_where_the_place_is_larger() -> None:
    """At half its size, 1.4 px of image 1 are 2.8 of image 0, and 1.6 px are 3.2; at twice its size likewise."""
    half = np.array([[0.5, 0, 160], [0, 0.5, 120], [0, 0, 1]])
    for H, unit in ((half, 1.0), (np.linalg.inv(half), 2.0)):
        points = GRID if unit == 1 else warp_points(half, GRID)
        for error, right in ((1.4, len(GRID)), (1.6, 0)):
            moved = warp_points(H, points) + np.array([0, error * unit])
            found = judge(prediction(points, moved), KnownChange(H, "scale"), Estimators())
            np.testing.assert_allclose(found.residuals, 2 * error, atol=1e-3)
            assert found.values["right matches"] == right


def test_sift_finds_what_the_truth_says(tmp_path: Path) -> None:
    """An eye that knows nothing of the homographies."""
    pair_set = stress_set({"astronaut": data.astronaut()}, changes=(HALF, QUARTER_TURN, TILT))
    methods, _ = build_methods(["sift"], None)
    report = evaluate([pair_set], methods, EvaluateOptions(tmp_path))
    (result,) = report.results
    for change, values in result.changes.items():
        assert values["precision"] > 85, change
        assert values["right matches"] > 100, change
    files = {path.name for path in write_report(report, tmp_path)}
    assert files == {"report.md", "report.json", "changes.png", "match_accuracy.png"}
    text = (tmp_path / "report.md").read_text()
    for said in (
        "| set | pairs | method | matches | right matches a pair (3 px) | precision | score |",
        "| turn 90 | ",
    ):
        assert said in text
    row = to_dict(report)["results"][0]
    assert row["changes"]["turn 90"]["right matches"] == result.changes["turn 90"]["right matches"]


def test_failed_pairs_are_left_out(pair_set: PairSet) -> None:
    failed = PredictionFile({}, tuple(failed_prediction("no memory") for _ in pair_set.pairs))
    result = judge_set(pair_set, "made", failed, Estimators())
    assert (len(result.failures), result.changes, result.values) == (len(CHANGES), {}, {})


def test_photographs_are_spread_over_a_folder(tmp_path: Path) -> None:
    paths = [tmp_path / "sub" / f"{number}.png" for number in range(11)]
    assert list(chosen_photographs(tmp_path, paths, 3)) == ["sub/0.png", "sub/5.png", "sub/10.png"]
    assert len(chosen_photographs(tmp_path, paths[:2], 6)) == 2
    with pytest.raises(InputError, match="at least one photograph"):
        chosen_photographs(tmp_path, [])


def test_photographs_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"a\.png"):
        stress_set({"a.png": tmp_path / "a.png"})
    Image.fromarray(np.zeros((32, 48), np.uint8)).save(tmp_path / "a.png")
    (pair,) = stress_set({"a.png": tmp_path / "a.png"}, changes=(Change("none"),)).pairs
    np.testing.assert_array_equal(pair.image0, np.zeros((427, 640, 3)))
    np.testing.assert_array_equal(pair.image1, pair.image0)


def test_those_who_give_no_photographs_have_some(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = pictures_of_skimage()
    assert {np.asarray(picture).ndim for picture in pictures.values()} == {2, 3}
    assert list(pictures_of_skimage(2)) == ["astronaut", "gravel"]
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingExtraError, match=r"\.\[demo\]"):
        pictures_of_skimage()
