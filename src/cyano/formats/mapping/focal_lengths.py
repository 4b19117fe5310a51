"""Focal lengths that nobody told, from the matches."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["estimate_focal_lengths"]

_LIKELY = 0.35, 5.0  # focal length over the longest side of an estimate: fields of view from 110 to 11 degrees
_SAME = 1e-3  # a relative difference of focal lengths that says that the estimate did not leave the guess
_MANY = 5  # images of one camera that tell its focal length by themselves


def estimate_focal_lengths(pycolmap: Any, database: Path, seed: int) -> int:
    """Replace guessed focal lengths by estimates from the fundamental matrices of all pairs together.

    The mappers begin with the guess, 1.2 times the longest side, and from motions straight ahead do not find back.
    COLMAP's view graph calibration solves for all focal lengths at once, robustly over the pairs. That of a single
    image is often far off, and a mapper that begins with it does not find back either, while the median over all images
    is close to most. So a camera that many images share begins with its own estimate, and all others with the median,
    relative to the longest side. Only estimates that are likely fields of view count.

    Args:
        pycolmap: the module.
        database: its cameras are changed; those that many images share count as known from then on. A copy is made
            beside it.
        seed: of COLMAP's sampling.

    Returns:
        How many cameras there are whose focal length is guessed.
    """
    with pycolmap.Database.open(str(database)) as opened:
        guessed = {c.camera_id: c for c in opened.read_all_cameras() if not c.has_prior_focal_length}
        shared = Counter(image.camera_id for image in opened.read_all_images())
    if not guessed:
        return 0
    sides = {number: max(camera.width, camera.height) for number, camera in guessed.items()}
    estimates = _calibrated(pycolmap, database, seed)
    ratios = {
        number: estimates[number] / sides[number]
        for number, camera in guessed.items()
        if number in estimates and abs(estimates[number] / camera.mean_focal_length() - 1) > _SAME
    }
    chosen = pooled_ratios(ratios, {number: shared[number] for number in guessed})
    with pycolmap.Database.open(str(database)) as opened:
        for number, ratio in chosen.items():
            camera = guessed[number]
            params = camera.params.copy()
            params[list(camera.focal_length_idxs())] = ratio * sides[number]
            camera.params = params
            # A mapper samples the focal length of each new image unless it is known beforehand, or refined by others.
            camera.has_prior_focal_length = shared[number] >= _MANY and ratio == ratios.get(number)
            opened.update_camera(camera)
    return len(guessed)


def _calibrated(pycolmap: Any, database: Path, seed: int) -> dict[int, float]:
    """Estimates in pixels by the numbers of the cameras; none where COLMAP comes to none."""
    aside = database.with_name("calibrated.db")  # its two-view geometries change as well, which the mappers need
    shutil.copyfile(database, aside)
    options = pycolmap.ViewGraphCalibrationOptions()
    options.random_seed = seed
    options.reestimate_relative_pose = False  # most of the time goes into that, and only focal lengths are wanted
    if not pycolmap.calibrate_view_graph(str(aside), options):
        return {}
    with pycolmap.Database.open(str(aside)) as opened:
        return {camera.camera_id: camera.mean_focal_length() for camera in opened.read_all_cameras()}


def pooled_ratios(ratios: Mapping[int, float], images: Mapping[int, int]) -> dict[int, float]:
    """The focal lengths over the longest side that cameras begin with.

    Args:
        ratios: estimates by the numbers of the cameras that have one.
        images: how many images each of the cameras took.

    Returns:
        By the numbers of all cameras; empty where no estimate is likely.
    """
    low, high = _LIKELY
    likely = {number: ratio for number, ratio in ratios.items() if low <= ratio <= high}
    if not likely:
        return {}
    pooled = math.exp(median(math.log(ratio) for number, ratio in likely.items() for _ in range(images[number])))
    own = {number: ratio for number, ratio in likely.items() if images[number] >= _MANY}
    return {number: own.get(number, pooled) for number in images}
