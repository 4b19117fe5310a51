from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.viz.colours import INLIER, OUTLIER, PLAIN, score_colours
from cyano.viz.layout import MatchStyle, plan_matches

RED = np.full((20, 30, 3), (255, 0, 0), dtype=np.uint8)
GREY = np.full((35, 25), 90, dtype=np.uint8)
MOVE = np.array([34, 0])  # the width of RED, and the gap of the tests below
P0 = np.array([[1, 2], [3.5, 4.25], [5, 6]], dtype=np.float32)
P1 = np.array([[7, 8], [9, 10], [11.75, 12]], dtype=np.float32)


def test_images_stand_side_by_side_with_their_tops_aligned() -> None:
    canvas = plan_matches(RED, GREY, P0, P1, style=MatchStyle(gap=4)).canvas
    assert canvas.shape == (35, 30 + 4 + 25, 3)
    assert np.array_equal(canvas[:20, :30], RED)
    assert np.array_equal(canvas[:, 34:], np.stack([GREY] * 3, axis=-1))
    assert (canvas[:, 30:34] == 255).all()
    assert (canvas[20:, :30] == 255).all()


def test_second_keypoints_move_with_their_image() -> None:
    plan = plan_matches(RED, GREY, P0, P1, style=MatchStyle(gap=4, all_keypoints0=P0, all_keypoints1=P1))
    # All numbers are quarters: exact in float64.
    assert np.array_equal(plan.starts, P0)
    assert np.array_equal(plan.ends, P1 + MOVE)
    assert np.array_equal(plan.dots, np.concatenate([P0, P1 + MOVE]))


def test_highest_scores_stay_and_are_painted_last() -> None:
    scores = np.array([0.2, 0.9, 0.5], dtype=np.float32)
    plan = plan_matches(RED, GREY, P0, P1, scores=scores, style=MatchStyle(max_lines=2))
    assert np.array_equal(plan.starts, P0[[2, 1]])
    assert np.array_equal(plan.colours, score_colours(scores[[2, 1]]))
    assert plan.text == ("3 matches, 2 shown",)


def test_among_equal_scores_the_earlier_match_stays() -> None:
    plan = plan_matches(RED, GREY, P0, P1, scores=np.full(3, 0.5), style=MatchStyle(max_lines=1))
    assert np.array_equal(plan.starts, P0[[0]])


def test_250_lines_are_drawn_unless_said_otherwise() -> None:
    points = np.random.default_rng(0).uniform(0, 20, (400, 2))
    plan = plan_matches(RED, GREY, points, points)
    assert len(plan.starts) == 250
    assert np.array_equal(plan.colours, [PLAIN] * 250)
    assert plan.text == ("400 matches, 250 shown",)
    assert len(plan_matches(RED, GREY, points, points, style=MatchStyle(max_lines=None)).starts) == 400


@pytest.mark.parametrize(("height", "stacked"), [(480, False), (427, False), (360, True), (240, True)])
def test_wide_images_are_stacked(height: int, stacked: bool) -> None:
    image = np.full((height, 640), 90, dtype=np.uint8)  # 4:3, 3:2, 16:9, 8:3
    plan = plan_matches(image, image, P0, P1, style=MatchStyle(all_keypoints0=P0, all_keypoints1=P1))
    expected = (2 * height + 10, 640) if stacked else (height, 1290)
    assert plan.canvas.shape[:2] == expected
    move = (0, height + 10) if stacked else (650, 0)
    assert np.array_equal(plan.ends, P1 + np.array(move))
    assert np.array_equal(plan.dots, np.concatenate([P0, P1 + np.array(move)]))


def test_stacking_can_be_asked_for_and_refused() -> None:
    canvas = plan_matches(RED, GREY, P0, P1, style=MatchStyle(gap=4, stacked=True)).canvas
    assert canvas.shape == (20 + 4 + 35, 30, 3)
    assert np.array_equal(canvas[24:, :25], np.stack([GREY] * 3, axis=-1))
    assert (canvas[24:, 25:] == 255).all()
    wide = np.zeros((10, 100), np.uint8)
    assert plan_matches(wide, wide, P0, P1, style=MatchStyle(stacked=False)).canvas.shape == (10, 210, 3)


def test_no_lines_at_all_can_be_asked_for() -> None:
    plan = plan_matches(RED, GREY, P0, P1, style=MatchStyle(max_lines=0))
    assert plan.starts.shape == plan.ends.shape == (0, 2)
    assert plan.text == ("3 matches, 0 shown",)


def test_inliers_choose_the_colours_and_are_counted() -> None:
    plan = plan_matches(RED, GREY, P0, P1, inliers=np.array([True, False, True]))
    assert plan.colours.tolist() == [list(INLIER), list(INLIER), list(OUTLIER)]  # the fewer are painted last
    assert np.array_equal(plan.starts, P0[[0, 2, 1]])
    assert plan.text == ("3 matches", "2 inliers (blue), 1 outliers (orange)")


def test_errors_are_counted_where_they_are_known() -> None:
    plan = plan_matches(RED, GREY, P0, P1, errors=np.array([2.0, np.nan, 9.0]), style=MatchStyle(error_threshold=2.0))
    assert plan.text == ("3 matches", "1 of 2 within 2 px")


def test_title_stands_first_and_notes_last() -> None:
    style = MatchStyle(title="door", notes=("seed 0",))
    assert plan_matches(RED, GREY, P0, P1, style=style).text == ("door", "3 matches", "seed 0")
    assert plan_matches(RED, GREY, P0, P1, style=replace(style, counts=False)).text == ("door", "seed 0")


def test_one_match_is_not_called_matches() -> None:
    assert plan_matches(RED, GREY, P0[:1], P1[:1]).text == ("1 match",)


def test_more_lines_are_finer_and_more_translucent() -> None:
    def look(count: int) -> tuple[float, float]:
        plan = plan_matches(RED, GREY, np.zeros((count, 2)), np.zeros((count, 2)), style=MatchStyle(max_lines=None))
        return plan.line_width, plan.alpha

    assert look(0) == look(30)
    assert look(30) > look(300) > look(1000) == look(5000)
    assert look(300)[1] > look(1000)[1]


def test_style_overrides_the_look() -> None:
    plan = plan_matches(RED, GREY, P0, P1, style=MatchStyle(line_width=5.0, alpha=0.25))
    assert (plan.line_width, plan.alpha) == (5.0, 0.25)


def test_no_matches_have_the_ranks_and_dtypes_of_some() -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    empty, full = plan_matches(RED, GREY, none, none), plan_matches(RED, GREY, P0, P1)
    for name in ("canvas", "starts", "ends", "colours", "dots"):
        a, b = getattr(empty, name), getattr(full, name)
        assert (a.dtype, a.ndim, a.shape[1:]) == (b.dtype, b.ndim, b.shape[1:])
    assert empty.text == ("0 matches",)


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ((RED / 255.0, GREY, P0, P1), "uint8"),
        ((RED[..., :2], GREY, P0, P1), "image0"),
        ((RED, GREY[:0], P0, P1), "image1"),
        ((RED, GREY, P0[:, :1], P1), "keypoints0"),
        ((RED, GREY, P0, P1.ravel()), "keypoints1"),
        ((RED, GREY, P0, P1[:2]), "3 and 2"),
        ((RED, GREY, P0 * np.nan, P1), "keypoints0"),
        ((RED, GREY, P0, P1 * 1e8), "keypoints1"),
    ],
)
def test_bad_images_and_keypoints_are_named(arguments: tuple[np.ndarray, ...], fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        plan_matches(*arguments)


@pytest.mark.parametrize(
    ("extra", "fact"),
    [
        ({"scores": np.zeros(2)}, "scores"),
        ({"scores": np.zeros((3, 1))}, "scores"),
        ({"errors": np.zeros(4)}, "errors"),
        ({"inliers": np.zeros(4, dtype=bool)}, "inliers"),
        ({"inliers": np.array([0, 1, 2])}, "inliers has to be bool"),
        ({"inliers": np.zeros(3, dtype=bool), "errors": np.zeros(3)}, "one of them"),
        ({"style": MatchStyle(all_keypoints1=np.zeros(3))}, "all_keypoints1"),
    ],
)
def test_bad_values_of_matches_are_named(extra: dict[str, object], fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        plan_matches(RED, GREY, P0, P1, **extra)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad", [{"line_width": 0.0}, {"line_width": 1e9}, {"alpha": 0.0}, {"alpha": 1.5}, {"max_lines": -1}, {"gap": -1}]
)
def test_bad_styles_are_named(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        MatchStyle(**bad)  # type: ignore[arg-type]
