from __future__ import annotations

import numpy as np
import pytest

from cyano.errors import ImageError, InputError
from cyano.processing.images import LoadedImage, read
from cyano.processing.resize import ResizeRule, apply
from cyano.types import ImageSize
from support.images import blobs, centroid

SIZE = ImageSize(240, 320)
CENTRES = np.array([[60.3, 50.8], [250.65, 70.1], [150.5, 120.25], [70.9, 185.45], [262.2, 190.7]])
SIGMA = 5.0


def loaded(grey: np.ndarray) -> LoadedImage:
    return read(grey.astype(np.float32))


class TestRule:
    @pytest.mark.parametrize(
        ("rule", "size", "expected"),
        [
            (ResizeRule(), (480, 640), (480, 640)),
            (ResizeRule(), (1200, 1600), (480, 640)),
            (ResizeRule(), (100, 200), (100, 200)),
            (ResizeRule(), (1000, 777), (640, 497)),  # 497.28
            (ResizeRule(), (777, 1001), (497, 640)),  # 496.78
            (ResizeRule(), (20, 5000), (16, 640)),  # 2.56, but no side falls below 16
            (ResizeRule.longest(64, allow_upscale=True), (30, 20), (64, 43)),  # 42.67
            (ResizeRule.longest(64), (30, 20), (30, 20)),
            (ResizeRule.none(), (5000, 30), (5000, 30)),
            (ResizeRule.exact(480, 640), (1000, 500), (480, 640)),
        ],
    )
    def test_network_size(self, rule: ResizeRule, size: tuple[int, int], expected: tuple[int, int]) -> None:
        assert rule.network_size(ImageSize(*size)) == ImageSize(*expected)

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            ([-1], (75, 100)),
            ([640], (480, 640)),  # enlarges, as the original program does
            ([50], (38, 50)),  # 37.5, rounded to even
            ([640, 480], (480, 640)),  # width first
            ([200, -1], (150, 200)),
        ],
    )
    def test_flags_of_match_pairs(self, flags: list[int], expected: tuple[int, int]) -> None:
        assert ResizeRule.from_flags(flags).network_size(ImageSize(75, 100)) == ImageSize(*expected)

    @pytest.mark.parametrize("flags", [[], [0], [-2], [640, 0], [-1, -1], [-1, 640], [1, 2, 3]])
    def test_other_flags_are_refused(self, flags: list[int]) -> None:
        with pytest.raises(InputError, match="--resize takes"):
            ResizeRule.from_flags(flags)

    @pytest.mark.parametrize("side", [-5, 0, 15])
    def test_sides_too_small_for_the_network_are_refused(self, side: int) -> None:
        with pytest.raises(InputError, match="at least 16 pixels"):
            ResizeRule.longest(side)
        with pytest.raises(InputError, match="at least"):
            ResizeRule.exact(480, side)


class TestApply:
    @pytest.mark.parametrize("turns", range(4))
    @pytest.mark.parametrize(
        "size",
        [
            (240, 320),
            (120, 160),
            (60, 80),
            (180, 240),
            (113, 151),
            (223, 297),
            (480, 640),
            (277, 369),
            (120, 480),  # one axis shrinks while the other one grows
            (300, 100),
        ],
    )
    def test_blobs_are_where_the_map_says(self, size: tuple[int, int], turns: int) -> None:
        image = loaded(np.clip(blobs(SIZE.height, SIZE.width, CENTRES, SIGMA), 0, 1))
        grey, frame = apply(image, ResizeRule.exact(*size), turns)
        assert grey.shape == size
        assert grey.dtype == np.float32
        assert grey.flags.c_contiguous
        sx, sy = frame.scale
        for expected in frame.to_network(CENTRES):
            found = centroid(grey, expected, (4 * SIGMA * sx, 4 * SIGMA * sy))
            # Averages and linear interpolation keep the centroid of a smooth blob; what remains is the
            # window's rim. Half a pixel wrong, as by forgetting the pixel centres, is ten times more.
            assert np.abs(found - expected).max() < 0.05

    @pytest.mark.parametrize("turns", range(-1, 5))
    def test_turns_alone_are_rot90(self, turns: int) -> None:
        grey = np.random.default_rng(0).random((20, 33), dtype=np.float32)
        turned, frame = apply(loaded(grey), ResizeRule.none(), turns)
        np.testing.assert_array_equal(turned, np.rot90(grey, turns))
        assert frame.network == ImageSize(20, 33).turned(turns)

    def test_pixels_are_untouched_where_the_size_stays(self) -> None:
        grey = np.random.default_rng(0).random((48, 64), dtype=np.float32)
        for rule in (ResizeRule(), ResizeRule.none(), ResizeRule.exact(48, 64)):
            same, frame = apply(loaded(grey), rule)
            np.testing.assert_array_equal(same, grey)
            assert frame.network == frame.original

    def test_halving_averages_four_pixels(self) -> None:
        grey = np.random.default_rng(0).random((32, 64), dtype=np.float32)
        half, _ = apply(loaded(grey), ResizeRule.longest(32))
        means = grey.reshape(16, 2, 32, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(half, means, atol=1e-6)  # float32 sums of four

    def test_a_fine_chessboard_becomes_grey_instead_of_aliasing(self) -> None:
        board = np.indices((300, 300)).sum(0) % 2
        small, _ = apply(loaded(board), ResizeRule.longest(100))
        # Each new pixel has four or five white ones among its nine.
        assert np.abs(small - 0.5).max() < 0.06

    @pytest.mark.parametrize("side", [17, 63, 64, 100, 201, 333])
    def test_values_stay_in_range(self, side: int) -> None:
        white, _ = apply(loaded(np.ones((150, 199))), ResizeRule.longest(side, allow_upscale=True))
        assert white.max() <= 1
        assert white.min() > 1 - 1e-6  # float32 sums of weights

    @pytest.mark.parametrize("turns", range(4))
    def test_the_exact_size_is_that_of_the_turned_image(self, turns: int) -> None:
        grey, frame = apply(loaded(np.zeros((40, 90))), ResizeRule.exact(20, 30), turns)
        assert grey.shape == (20, 30)
        assert frame.network == ImageSize(20, 30)

    def test_enormous_results_are_refused(self) -> None:
        with pytest.raises(ImageError, match="resized to 30000x30000"):
            apply(loaded(np.zeros((16, 16))), ResizeRule.exact(30_000, 30_000))
