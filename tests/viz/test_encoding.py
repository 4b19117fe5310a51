"""Pictures and archives as bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cyano.atomic import archive_bytes
from cyano.errors import InputError
from cyano.viz import MatchStyle, draw_keypoints, draw_matches, draw_overlay
from cyano.viz.encoding import FIGURE_FORMATS, figure_bytes, image_bytes

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
HEADS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml", "jpg": b"\xff\xd8"}


@pytest.mark.parametrize("extension", FIGURE_FORMATS)
def test_figures(extension: str) -> None:
    figure = draw_keypoints(RGB, np.zeros((1, 2)))
    assert figure_bytes(figure, f".{extension}").startswith(HEADS[extension])


@pytest.mark.parametrize("extension", ["png", "pdf"])
def test_equal_figures_are_equal_files(extension: str) -> None:
    first, second = (figure_bytes(draw_keypoints(RGB, np.zeros((1, 2))), extension) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("extension", ["png", "pdf"])
def test_letters_that_the_font_does_not_have_pass_silently(extension: str) -> None:
    points = np.zeros((1, 2))
    figure = draw_matches(RGB, RGB, points, points, style=MatchStyle(title="\u65e5\u672c.jpg"))
    assert figure_bytes(figure, extension).startswith(HEADS[extension])  # warnings are errors here


def test_images_keep_their_pixels_and_channels() -> None:
    with Image.open(io.BytesIO(image_bytes(RGB, ".PNG"))) as image:
        np.testing.assert_array_equal(np.asarray(image), RGB)


def test_unknown_endings_name_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"png.*not '.docx'"):
        image_bytes(RGB, ".docx")


def test_archives_keep_dtypes() -> None:
    content = archive_bytes(a=np.zeros((0, 2), np.float32), b=np.array("text"))
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert list(archive) == ["a", "b"]
        assert (archive["a"].dtype, archive["a"].shape, str(archive["b"])) == (np.float32, (0, 2), "text")


def test_a_notebook_shows_figures_by_themselves() -> None:
    figures = (draw_keypoints(RGB, np.zeros((1, 2))), draw_matches(RGB, RGB, np.zeros((1, 2)), np.zeros((1, 2))))
    for figure in (*figures, draw_overlay(RGB, RGB, np.ones((20, 30), bool))):
        with Image.open(io.BytesIO(figure._repr_png_())) as image:  # type: ignore[attr-defined]
            assert image.width == 960
