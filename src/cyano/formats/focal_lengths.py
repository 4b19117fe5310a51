"""Focal lengths that nobody told, from the matches."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

__all__ = ["estimate_focal_lengths"]

_SAME = 1e-3  # a relative difference of focal lengths that says that the estimate did not leave the guess


def estimate_focal_lengths(pycolmap: Any, database: Path, seed: int) -> int:
    """Replace guessed focal lengths by COLMAP's estimate from the view graph, where it comes to one.

    The mappers begin with the guess, 1.2 times the longest side, and from motions straight ahead do not find back.
    COLMAP's calibration changes two-view geometries as well, from which the incremental mapper then finds no start, so
    it gets a copy of its own.

    Args:
        pycolmap: the module.
        database: its cameras are changed.
        seed: of COLMAP's sampling.

    Returns:
        How many cameras there are whose focal length is guessed.
    """
    with pycolmap.Database.open(str(database)) as opened:
        guessed = {c.camera_id: c for c in opened.read_all_cameras() if not c.has_prior_focal_length}
    if not guessed:
        return 0
    aside = database.with_name("calibrated.db")
    shutil.copyfile(database, aside)
    options = pycolmap.ViewGraphCalibrationOptions()
    options.random_seed = seed
    if pycolmap.calibrate_view_graph(str(aside), options):
        with pycolmap.Database.open(str(aside)) as opened:
            found = {camera.camera_id: camera for camera in opened.read_all_cameras()}
        with pycolmap.Database.open(str(database)) as opened:
            for number, camera in guessed.items():
                estimate = found[number]
                if abs(estimate.mean_focal_length() / camera.mean_focal_length() - 1) > _SAME:
                    opened.update_camera(estimate)
    return len(guessed)
