"""Both renderers, pixel by pixel; positions on the picture come from the definition of the layout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from unittest.mock import patch

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from cyano.processing import resampling
from cyano.viz import MatchStyle, draw_keypoints, draw_matches, draw_matches_image, draw_overlay, painting
from cyano.viz.colours import INLIER, OUTLIER, PLAIN, SCORE_ANCHORS, UNMATCHED
from cyano.viz.sizes import NOTEBOOK_SIDE, PICTURE_SIDE

BLACK0 = np.zeros((200, 300, 3), dtype=np.uint8)
BLACK1 = np.zeros((260, 280), dtype=np.uint8)
GAP = 10
OFFSET = 300 + GAP
CLEAN = MatchStyle(counts=False, line_width=8.0, alpha=1.0, gap=GAP)


def pixels(figure: Figure) -> np.ndarray:
    """(H, W, 3) uint8 as the figure comes out."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]


def figure_picture(*arguments: np.ndarray, **options: object) -> np.ndarray:
    return pixels(draw_matches(*arguments, **options))  # type: ignore[arg-type]


def file_picture(*arguments: np.ndarray, **options: object) -> np.ndarray:
    return draw_matches_image(*arguments, **options, longest_side=PICTURE_SIDE)  # type: ignore[arg-type]


def picture_without_opencv(*arguments: np.ndarray, **options: object) -> np.ndarray:
    """As cyano-runtime paints it."""
    with patch.object(painting, "cv2", None), patch.object(resampling, "cv2", None):
        return file_picture(*arguments, **options)


RENDERERS = pytest.mark.parametrize(
    "render",
    [figure_picture, draw_matches_image, file_picture, picture_without_opencv],
    ids=["matplotlib", "painted", "painted at 1800", "by Pillow"],
)
Render = Callable[..., np.ndarray]


def at(picture: np.ndarray, x: float, y: float, width: int = OFFSET + 280) -> np.ndarray:
    """The colour at (x, y) of a side-by-side canvas so wide, of which the picture is a scaled copy."""
    scale = picture.shape[1] / width
    return picture[int((y + 0.5) * scale), int((x + 0.5) * scale)].astype(int)


@RENDERERS
def test_line_joins_the_keypoints_in_both_images(render: Render) -> None:
    start, end = np.array([[40.0, 50.0]]), np.array([[200.0, 210.0]])
    picture = render(BLACK0, BLACK1, start, end, style=CLEAN)
    a, b = start[0], end[0] + (OFFSET, 0)
    # 2 levels: antialiasing may not leave the middle of an 8-point line untouched to the last bit.
    for part in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert np.abs(at(picture, *(a + part * (b - a))) - PLAIN).max() <= 2
    for part in (-0.1, 1.1):  # the line ends there, and the images are black
        assert at(picture, *(a + part * (b - a))).max() == 0
    normal = np.array([-(b - a)[1], (b - a)[0]]) / np.linalg.norm(b - a)
    assert at(picture, *((a + b) / 2 + (GAP / 2 + 20) * normal)).max() == 0


@RENDERERS
def test_second_image_stands_behind_the_gap(render: Render) -> None:
    white = np.full_like(BLACK0, 255)
    none = np.zeros((0, 2))
    picture = render(white, BLACK1, none, none, style=MatchStyle(counts=False, gap=GAP))
    scale = picture.shape[1] / (OFFSET + 280)
    dark = np.flatnonzero((picture[: int(100 * scale)] < 128).all(axis=(0, 2)))
    # One pixel of the picture: matplotlib's resampling decides which side of the edge it falls on.
    assert abs(dark[0] - OFFSET * scale) <= 1
    assert dark[-1] == picture.shape[1] - 1


@RENDERERS
def test_line_ends_keep_parts_of_a_pixel(render: Render) -> None:
    def centre(y: float) -> float:
        """The height of a horizontal line, in pixels of the canvas: the mean row, weighted by brightness."""
        ends = np.array([[20.0, y]]), np.array([[250.0, y]])
        picture = render(BLACK0, BLACK1, *ends, style=MatchStyle(counts=False, line_width=1.0, alpha=1.0))
        column = picture[: picture.shape[0] // 2, picture.shape[1] // 4].astype(float).sum(axis=1)
        rows = np.arange(len(column))
        return float((column * rows).sum() / column.sum() / picture.shape[1] * (OFFSET + 280))

    # 0.15: OpenCV's smooth lines are off by about a tenth of a pixel; whole pixels would miss by 0.5.
    assert centre(100.5) - centre(100.0) == pytest.approx(0.5, abs=0.15)


@RENDERERS
def test_inliers_and_outliers_have_their_colours(render: Render) -> None:
    y = np.array([40.0, 160.0])
    starts, ends = np.stack([np.full(2, 50.0), y], axis=1), np.stack([np.full(2, 200.0), y], axis=1)
    picture = render(BLACK0, BLACK1, starts, ends, inliers=np.array([False, True]), style=CLEAN)
    assert np.abs(at(picture, 280, 40) - OUTLIER).max() <= 2
    assert np.abs(at(picture, 280, 160) - INLIER).max() <= 2


@RENDERERS
def test_higher_score_lies_on_top(render: Render) -> None:
    starts, ends = np.full((2, 2), 100.0), np.full((2, 2), 100.0)
    picture = render(BLACK0, BLACK1, starts, ends, scores=np.array([1.0, 0.0]), style=CLEAN)
    assert np.abs(at(picture, 255, 100) - SCORE_ANCHORS[-1]).max() <= 2


@RENDERERS
def test_alpha_mixes_line_and_image(render: Render) -> None:
    style = MatchStyle(counts=False, line_width=8.0, alpha=0.5)
    picture = render(BLACK0, BLACK1, np.array([[50.0, 100.0]]), np.array([[200.0, 100.0]]), style=style)
    # 2 levels: rounding, and antialiasing as above
    assert np.abs(at(picture, 255, 100) - np.array(PLAIN) / 2).max() <= 2


@RENDERERS
def test_all_keypoints_show_as_dots_in_their_images(render: Render) -> None:
    none = np.zeros((0, 2))
    style = MatchStyle(
        counts=False, gap=GAP, all_keypoints0=np.array([[70.0, 80.0]]), all_keypoints1=np.array([[90.0, 120.0]])
    )
    picture = render(BLACK0, BLACK1, none, none, style=style)
    # 40 levels: a dot is two or three pixels wide, its middle may be antialiased.
    assert np.abs(at(picture, 70, 80) - UNMATCHED).max() <= 40
    assert np.abs(at(picture, OFFSET + 90, 120) - UNMATCHED).max() <= 40
    assert at(picture, 70, 120).max() == 0


@RENDERERS
def test_text_stands_in_the_top_left_corner(render: Render) -> None:
    none = np.zeros((0, 2))
    picture = render(BLACK0, BLACK1, none, none)
    bare = render(BLACK0, BLACK1, none, none, style=MatchStyle(counts=False))
    rows, columns = np.nonzero((picture != bare).any(axis=2))
    assert len(rows) > 0
    assert rows.max() < picture.shape[0] / 4
    assert columns.max() < picture.shape[1] / 3


@RENDERERS
@pytest.mark.parametrize("title", ["$x", "$\\bad{", "price $5 and $6", "a\udcffb", ""])
def test_any_title_can_be_drawn(render: Render, title: str) -> None:
    none = np.zeros((0, 2))
    assert render(BLACK0, BLACK1, none, none, style=MatchStyle(title=title)).dtype == np.uint8


@RENDERERS
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (5, 7)])
def test_images_of_any_shape_can_be_drawn(render: Render, shape: tuple[int, int]) -> None:
    image = np.zeros(shape, dtype=np.uint8)
    picture = render(image, image, np.zeros((2, 2)), np.zeros((2, 2)), scores=np.array([0.1, 0.9]))
    assert picture.size > 0


@RENDERERS
def test_keypoints_outside_the_images_can_be_drawn(render: Render) -> None:
    far = np.array([[-9e5, 9e5], [9e5, -3.0]])
    picture = render(BLACK0, BLACK1, far, far[::-1])
    assert picture.ndim == 3


@RENDERERS
def test_arguments_are_not_modified(render: Render) -> None:
    rng = np.random.default_rng(0)
    arguments = [
        rng.integers(0, 256, (60, 80, 3), dtype=np.uint8),
        rng.integers(0, 256, (50, 70, 3), dtype=np.uint8),
        rng.uniform(0, 50, (20, 2)).astype(np.float32),
        rng.uniform(0, 50, (20, 2)).astype(np.float32),
    ]
    scores = rng.uniform(0, 1, 20).astype(np.float32)
    everything = [*arguments, scores]
    before = [array.copy() for array in everything]
    for array in everything:
        array.flags.writeable = False
    render(*arguments, scores=scores)
    assert all(np.array_equal(a, b) for a, b in zip(before, everything, strict=True))


@RENDERERS
def test_same_arguments_give_the_same_picture(render: Render) -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 190, (50, 2)), rng.uniform(0, 190, (50, 2))
    scores = np.round(rng.uniform(0, 1, 50), 1)  # many ties
    first, second = (render(BLACK0, BLACK1, *points, scores=scores, style=MatchStyle(max_lines=20)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_painted_picture_has_the_size_of_the_images_or_the_one_asked_for() -> None:
    none = np.zeros((0, 2))
    picture = draw_matches_image(BLACK0, BLACK1, none, none, style=MatchStyle(gap=3))
    assert picture.shape == (260, 300 + 3 + 280, 3)
    assert picture.dtype == np.uint8
    for side in (NOTEBOOK_SIDE, PICTURE_SIDE):
        picture = draw_matches_image(BLACK0, BLACK1, none, none, longest_side=side)
        assert picture.shape == (round(side * 260 / 590), side, 3)
        stacked = draw_matches_image(BLACK0, BLACK1, none, none, style=MatchStyle(stacked=True), longest_side=side)
        assert stacked.shape == (side, round(side * 300 / 470), 3)
    sliver = draw_matches_image(np.zeros((1, 3000), np.uint8), BLACK1, none, none, longest_side=PICTURE_SIDE)
    assert max(sliver.shape) == PICTURE_SIDE
    assert min(sliver.shape[:2]) >= PICTURE_SIDE / 24  # room for the text


@pytest.mark.parametrize("size", [(16, 24), (200, 300), (2200, 3000)])
def test_text_and_lines_are_as_large_on_pictures_of_any_images(size: tuple[int, int]) -> None:
    image, none = np.zeros(size, np.uint8), np.zeros((0, 2))
    style = MatchStyle(counts=False, gap=0, alpha=1.0, line_width=2.0)
    bare = draw_matches_image(image, image, none, none, style=style, longest_side=PICTURE_SIDE)
    assert bare.max() == 0
    text = draw_matches_image(image, image, none, none, style=MatchStyle(gap=0), longest_side=PICTURE_SIDE)
    rows = np.flatnonzero(text.any(axis=(1, 2)))
    # 13 points of 1800 / (12 * 72) pixels are 27; "0 matches" is three quarters of that, from digit to baseline.
    assert len(rows) == pytest.approx(0.75 * 27, abs=3)
    ends = np.array([[0.1, 0.7]]) * size[1], np.array([[0.9, 0.7]]) * size[1]
    ends = tuple(end * (1, size[0] / size[1]) for end in ends)
    line = draw_matches_image(image, image, *ends, style=style, longest_side=PICTURE_SIDE)
    width = line[:, PICTURE_SIDE // 2].astype(float).sum() / sum(PLAIN)
    assert width == pytest.approx(2 * 150 / 72, abs=0.3)  # as below


@pytest.mark.parametrize("count", [1, 30, 250, 400])
def test_as_many_lines_as_asked_are_painted(count: int) -> None:
    image = np.zeros((4000, 300), np.uint8)
    y = np.linspace(20, 3980, count)
    starts, ends = np.stack([np.full(count, 50.0), y], axis=1), np.stack([np.full(count, 200.0), y], axis=1)
    picture = draw_matches_image(image, image, starts, ends, style=MatchStyle(counts=False, line_width=0.3))
    lit = picture[:, 280].any(axis=1)
    assert np.count_nonzero(lit[1:] & ~lit[:-1]) == min(count, 250)


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.785])
@pytest.mark.parametrize("line_width", [0.2, 1.0, 3.0, 4.5, 9.0])
def test_painted_lines_are_as_wide_as_asked(line_width: float, angle: float) -> None:
    large = np.zeros((400, 859), dtype=np.uint8)  # with the gap twice 864 points: two pixels for a point
    along = np.array([np.cos(angle), np.sin(angle)])
    start, end = np.array([[200.0, 60.0]]), np.array([200.0, 60.0]) + 300 * along
    style = MatchStyle(counts=False, line_width=line_width, alpha=1, stacked=False)
    picture = draw_matches_image(large, large, start, end[None] - (869, 0), style=style)
    place = start[0] + 150 * along
    width = picture[:, round(place[0])].astype(float).sum() / sum(PLAIN) * np.cos(angle)
    # No line is thinner than 1.4 pixels, and OpenCV's smooth edges are up to a quarter of a pixel off.
    assert width == pytest.approx(max(2 * line_width, 1.4), abs=0.3)


def test_letters_beyond_ascii_are_painted() -> None:
    none = np.zeros((0, 2))

    def title(text: str) -> np.ndarray:
        return draw_matches_image(BLACK0, BLACK1, none, none, style=MatchStyle(text, counts=False), longest_side=1800)

    shown = [title(text) for text in ("\u00dcbung", "\u0444\u0430\u0439\u043b", "\u65e5", "\u672c")]
    assert all(picture.any() for picture in shown)
    assert not np.array_equal(shown[0], shown[1])
    assert np.array_equal(shown[2], shown[3])  # no letter of the font: a box
    assert not np.array_equal(shown[1], title("????"))


def test_keypoints_are_drawn_where_they_are() -> None:
    figure = draw_keypoints(BLACK0, np.array([[30.0, 40.0], [250.0, 150.0]]), scores=np.array([0.01, 0.04]))
    picture = pixels(figure)
    # A quarter of the highest score, and the highest: the second and the last anchor. 30 levels:
    # antialiasing.
    assert np.abs(at(picture, 30, 40, width=300) - SCORE_ANCHORS[1]).max() <= 30
    assert np.abs(at(picture, 250, 150, width=300) - SCORE_ANCHORS[-1]).max() <= 30
    assert at(picture, 250, 40, width=300).max() == 0


@pytest.mark.parametrize("scores", [None, np.zeros(0), np.zeros(0, dtype=np.float32)])
def test_no_keypoints_can_be_drawn(scores: np.ndarray | None) -> None:
    assert pixels(draw_keypoints(BLACK1, np.zeros((0, 2)), scores)).max() == 0


def test_scores_of_zero_can_be_drawn() -> None:
    picture = pixels(draw_keypoints(BLACK0, np.array([[30.0, 40.0]]), np.zeros(1)))
    assert np.abs(at(picture, 30, 40, width=300) - SCORE_ANCHORS[0]).max() <= 30


def test_overlay_figure_shows_the_overlay() -> None:
    white = np.full_like(BLACK0, 255)
    mask = np.zeros((200, 300), dtype=bool)
    mask[:, 150:] = True
    picture = pixels(draw_overlay(BLACK0, white, mask, "blend"))
    assert at(picture, 70, 100, width=300).tolist() == [0, 0, 0]
    assert at(picture, 220, 100, width=300).tolist() == [128, 128, 128]


def test_figures_leave_matplotlib_as_it_was() -> None:
    def settings() -> dict[str, object]:
        return dict(dict.items(mpl.rcParams))  # item by item, matplotlib itself would choose a backend now

    before, points = settings(), np.array([[10.0, 10.0]])
    draw_matches(BLACK0, BLACK1, points, points).canvas.draw()
    draw_keypoints(BLACK0, points).canvas.draw()
    draw_overlay(BLACK0, BLACK0, np.ones((200, 300), dtype=bool)).canvas.draw()
    assert settings() == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_reader_settings_do_not_turn_the_picture() -> None:
    image = BLACK0.copy()
    image[:100] = 255
    with mpl.rc_context({"image.origin": "lower", "savefig.dpi": 30, "figure.autolayout": True}):
        picture = pixels(draw_keypoints(image, np.zeros((0, 2))))
    assert at(picture, 150, 20, width=300).min() == 255
    assert at(picture, 150, 180, width=300).max() == 0


def test_import_loads_no_matplotlib_and_drawing_no_pyplot() -> None:
    program = (
        "import sys, numpy as np, cyano.viz as viz\n"
        "assert 'matplotlib' not in sys.modules\n"
        "viz.draw_keypoints(np.zeros((9, 9), np.uint8), np.zeros((1, 2))).canvas.draw()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
