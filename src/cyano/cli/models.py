"""The geometry that `cyano match` is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import typer

from cyano.cli.arguments import EstimatorName, usage_errors
from cyano.errors import InputError
from cyano.geometry import Camera, RobustEstimate, RobustOptions

if TYPE_CHECKING:
    from cyano.result import ImageKeypoints, PairResult

__all__ = ["ModelKind", "ModelOptions", "estimate", "kinds"]

ModelKind = Literal["homography", "fundamental", "pose"]


def kinds(homography: bool, fundamental: bool, pose: bool) -> tuple[ModelKind, ...]:
    """The models asked for, in the order in which they are estimated and told."""
    asked: dict[ModelKind, bool] = {"homography": homography, "fundamental": fundamental, "pose": pose}
    return tuple(kind for kind, wanted in asked.items() if wanted)


@dataclass(frozen=True)
class ModelOptions:
    """What to estimate, and how.

    Attributes:
        kinds: which models.
        cameras: the intrinsics of the two images where they were given.
        robust: estimator, threshold and seed.
    """

    kinds: tuple[ModelKind, ...]
    cameras: tuple[Camera | None, Camera | None]
    robust: RobustOptions

    @classmethod
    def parsed(
        cls,
        kinds: tuple[ModelKind, ...],
        intrinsics: tuple[str | None, str | None],
        threshold: float | None,
        estimator: EstimatorName,
        seed: int,
    ) -> ModelOptions:
        """From the options of the command line.

        Raises:
            typer.BadParameter: they contradict each other, or a value is not usable.
        """
        for index, text in enumerate(intrinsics):
            if text is not None and "pose" not in kinds:
                raise typer.BadParameter(f"--intrinsics{index} has no effect without --pose; add --pose")
        if threshold is not None and not kinds:
            raise typer.BadParameter(
                "--threshold has no effect without a model; add --homography, --fundamental or --pose"
            )
        first, second = (_camera(text, f"--intrinsics{index}") for index, text in enumerate(intrinsics))
        with usage_errors():
            return cls(kinds, (first, second), RobustOptions(estimator, threshold, seed=seed))


def _camera(text: str | None, flag: str) -> Camera | None:
    """A camera from 4 or 9 numbers separated by commas, semicolons, spaces or brackets."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in re.split(r"[,;\s\[\]]+", text.strip(" ,;[]"))]
    except ValueError as error:
        raise typer.BadParameter(f"{flag} holds numbers separated by commas, not {text!r}") from error
    try:
        if len(numbers) == 4:
            fx, fy, cx, cy = numbers
            return Camera(fx, fy, cx, cy)
        if len(numbers) == 9:
            return Camera.from_matrix(np.array(numbers).reshape(3, 3))
    except InputError as error:
        raise typer.BadParameter(f"{flag}: {error}") from error
    raise typer.BadParameter(f"{flag} takes fx,fy,cx,cy or the 9 numbers of K, not {len(numbers)} numbers")


def estimate(result: PairResult, options: ModelOptions) -> tuple[PairResult, tuple[RobustEstimate, ...]]:
    """Every model that is asked for, found or not, and the result with the doubtful matches that agree with one.

    Raises:
        InputError: a pose is asked for and a camera is neither given nor told by EXIF.
    """
    return result.verified(*(partial(_estimate, kind=kind, options=options) for kind in options.kinds))


def _estimate(result: PairResult, *, kind: ModelKind, options: ModelOptions) -> RobustEstimate:
    if kind == "homography":
        return result.homography(options.robust)
    if kind == "fundamental":
        return result.fundamental(options.robust)
    camera0 = _known(options.cameras[0], result.image0, "--intrinsics0")
    camera1 = _known(options.cameras[1], result.image1, "--intrinsics1")
    return result.relative_pose(camera0, camera1, options.robust)


def _known(camera: Camera | None, image: ImageKeypoints, flag: str) -> Camera:
    if camera is None and image.focal_35mm is None:
        raise InputError(
            f"--pose needs the intrinsics of {image.name}, which has no EXIF focal length: give {flag} "
            "fx,fy,cx,cy in pixels"
        )
    return image.exif_camera() if camera is None else camera
