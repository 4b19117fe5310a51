from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.viz import overlay_image

RNG = np.random.default_rng(0)
A = RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8)
B = RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8)
EVERYWHERE = np.ones((32, 48), dtype=bool)


def test_blend_is_the_mean() -> None:
    mean = (A.astype(float) + B) / 2
    # 0.5: rounding to whole levels
    assert np.abs(overlay_image(A, B, EVERYWHERE, "blend") - mean).max() <= 0.5


def test_checkerboard_takes_squares_in_turn() -> None:
    picture = overlay_image(A, B, EVERYWHERE, "checkerboard")
    side = 32 // 8
    for y in range(0, 32, side):
        for x in range(0, 48, side):
            source = B if (y // side + x // side) % 2 else A
            square = np.s_[y : y + side, x : x + side]
            assert np.array_equal(picture[square], source[square])


def test_anaglyph_is_red_for_the_first_and_cyan_for_the_second() -> None:
    picture = overlay_image(A, B, EVERYWHERE, "anaglyph")
    for y, x in ((0, 0), (5, 40), (31, 47)):
        grey0, grey1 = (0.299 * r + 0.587 * g + 0.114 * b for r, g, b in (A[y, x].tolist(), B[y, x].tolist()))
        # 0.5: rounding to whole levels
        assert np.abs(picture[y, x] - np.array([grey0, grey1, grey1])).max() <= 0.5


def test_anaglyph_of_the_same_image_is_grey() -> None:
    picture = overlay_image(A, A, EVERYWHERE, "anaglyph")
    assert np.array_equal(picture[..., 0], picture[..., 1])
    assert np.array_equal(picture[..., 0], picture[..., 2])


@pytest.mark.parametrize("mode", ["blend", "checkerboard", "anaglyph"])
def test_outside_the_mask_the_first_image_stays(mode: str) -> None:
    mask = RNG.random((32, 48)) < 0.5
    picture = overlay_image(A, B, mask, mode)  # type: ignore[arg-type]
    whole = overlay_image(A, B, EVERYWHERE, mode)  # type: ignore[arg-type]
    assert np.array_equal(picture[~mask], A[~mask])
    assert np.array_equal(picture[mask], whole[mask])


def test_result_is_a_new_array_also_where_nothing_is_mixed() -> None:
    picture = overlay_image(A, B, np.zeros((32, 48), dtype=bool))
    assert np.array_equal(picture, A)
    assert not np.shares_memory(picture, A)


def test_grey_and_tiny_images() -> None:
    for mode in ("blend", "checkerboard", "anaglyph"):
        picture = overlay_image(np.zeros((1, 1), np.uint8), np.full((1, 1), 9, np.uint8), np.ones((1, 1), bool), mode)  # type: ignore[arg-type]
        assert picture.shape == (1, 1, 3)


def test_sizes_have_to_agree() -> None:
    with pytest.raises(InputError, match="one height and width"):
        overlay_image(A, B[:-1], EVERYWHERE)
    with pytest.raises(InputError, match="one height and width"):
        overlay_image(A, B, EVERYWHERE[:, :-1])


def test_unknown_mode_is_named() -> None:
    with pytest.raises(InputError, match="'xray'"):
        overlay_image(A, B, EVERYWHERE, "xray")  # type: ignore[arg-type]
