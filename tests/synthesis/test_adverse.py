"""Adverse conditions: values change, points stay where they are."""

import cv2
import numpy as np
import pytest

from cyano.synthesis import adverse
from cyano.synthesis.adverse import adverse_change


def photograph(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 1, (96, 128)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (smooth - smooth.min()) / np.ptp(smooth)


@pytest.mark.parametrize("seed", range(30))
def test_changes_stay_in_range_and_depend_on_the_generator_alone(seed: int) -> None:
    before = photograph()
    changed, again = (adverse_change(before, np.random.default_rng(seed), photograph(1)) for _ in range(2))
    assert changed.shape == (96, 128)
    assert changed.dtype == np.float32
    assert 0 <= changed.min() <= changed.max() <= 1
    assert np.array_equal(changed, again)
    assert np.array_equal(before, photograph())
    assert np.abs(changed - before).mean() > 0.005


@pytest.mark.parametrize("change", [adverse._focus, adverse._motion])
@pytest.mark.parametrize("seed", range(4))
def test_blur_moves_no_point(change: object, seed: int) -> None:
    # A kernel that is its own mirror image keeps a picture that is its own mirror image so.
    image = photograph()
    image = (image + image[::-1, ::-1]) / 2
    changed = change(image, np.random.default_rng(seed))
    assert np.allclose(changed, changed[::-1, ::-1], atol=1e-5)  # float32 sums in another order
    assert changed.std() < 0.97 * image.std()


def test_tones_are_a_function_of_the_value_alone() -> None:
    image = np.round(photograph() * 20).astype(np.float32) / 20
    kinds = set()
    for seed in range(30):
        changed = adverse._tones(image, np.random.default_rng(seed))
        means = [changed[image == value].mean() for value in np.unique(image)]
        assert all(np.ptp(changed[image == value]) < 1e-6 for value in np.unique(image))
        steps = np.sign(np.diff(means))
        kinds.add("rises" if (steps >= 0).all() else "falls" if (steps <= 0).all() else "bends")
    assert kinds == {"rises", "falls", "bends"}


def test_night_is_dark_and_haze_has_little_contrast() -> None:
    image = photograph()
    darkness = [np.median(adverse._night(image, np.random.default_rng(seed))) for seed in range(20)]
    assert np.median(darkness) < 0.4 * np.median(image)  # the largest gain; a lamp may light up one or another
    contrast = [np.ptp(adverse._haze(image, np.random.default_rng(seed))[40:56, 56:72]) for seed in range(20)]
    assert np.median(contrast) < 0.6 * np.ptp(image[40:56, 56:72]) + 0.06  # six sigma of its noise


def test_the_light_of_another_photograph_keeps_the_phases() -> None:
    image = photograph()
    changed = adverse._weather_of(image, np.random.default_rng(0), photograph(1))
    before, after = np.fft.rfft2(image), np.fft.rfft2(changed)
    turned = np.angle(after[1:40, 1:40] * np.conj(before[1:40, 1:40]))
    assert np.abs(turned).max() < 0.05  # float32 out
    assert abs(abs(after[1, 1]) - abs(np.fft.rfft2(photograph(1))[1, 1])) < 0.01 * abs(after[1, 1])
