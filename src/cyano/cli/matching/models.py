"""The geometry that `cyano match` is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import typer

from cyano.cli.arguments import EstimatorName, existing_file, usage_errors
from cyano.cli.collections.camera_options import camera_entry
from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.geometry import Camera, LensCamera, RobustEstimate, RobustOptions
from cyano.pairs.entries import which

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cyano.formats import CameraEntry
    from cyano.result import ImageKeypoints, PairResult

__all__ = ["ModelKind", "ModelOptions", "camera_entries", "estimate", "kinds", "pinhole_camera"]

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
        cameras: of the two images where they were given: of what is displayed, or entries as of cameras files.
        robust: estimator, threshold and seed.
    """

    kinds: tuple[ModelKind, ...]
    cameras: tuple[Camera | CameraEntry | None, Camera | CameraEntry | None]
    robust: RobustOptions

    @classmethod
    def parsed(
        cls,
        kinds: tuple[ModelKind, ...],
        intrinsics: tuple[str | None, str | None],
        threshold: float | None,
        estimator: EstimatorName,
        seed: int,
        entries: tuple[CameraEntry | None, CameraEntry | None] = (None, None),
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
        first, second = (
            (None if text is None else pinhole_camera(text, f"--intrinsics{index}")) or entry
            for index, (text, entry) in enumerate(zip(intrinsics, entries, strict=True))
        )
        with usage_errors():
            return cls(kinds, (first, second), RobustOptions(estimator, threshold, seed=seed))


def camera_entries(
    images: tuple[Path, Path], camera: str | None, file: Path | None, *, pose: bool
) -> tuple[CameraEntry | None, CameraEntry | None]:
    """What --camera and --cameras-file say of two images; the file goes before.

    An image is named in the file as on the command line, or by the end of that.

    Raises:
        typer.BadParameter: --camera is not understood, or there is no --pose.
        InputError: the file is no cameras file.
    """
    for flag, given in (("--camera", camera), ("--cameras-file", file)):
        if given is not None and not pose:
            raise typer.BadParameter(f"{flag} has no effect without --pose; add --pose")
    entry = None if camera is None else camera_entry(camera, "--camera")
    if file is None:
        return entry, entry
    existing_file(file, "--cameras-file")
    from cyano.formats import read_cameras_file

    listed = read_cameras_file(file)
    first, second = (_listed(listed, path) or entry for path in images)
    return first, second


def _listed(listed: Mapping[str, CameraEntry], image: Path) -> CameraEntry | None:
    parts = image.parts
    names = ("/".join(parts[start:]) for start in range(len(parts)))
    entries = (which(listed, name) for name in names)
    found = next((entry for entry in entries if entry), "" if "" in listed else None)
    return None if found is None or not listed[found].params else listed[found]


def pinhole_camera(text: str, flag: str) -> Camera:
    """A camera from 4 or 9 numbers separated by commas, semicolons, spaces or brackets.

    Raises:
        typer.BadParameter: they are not.
    """
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


def _known(camera: Camera | CameraEntry | None, image: ImageKeypoints, flag: str) -> Camera | LensCamera:
    if camera is not None and not isinstance(camera, Camera):
        from cyano.formats.mapping.known_cameras import displayed_camera

        facts = facts_in(image.name)
        return displayed_camera(camera, image.size.turned(int(facts.is_sideways)), facts.orientation, image.name)
    if camera is None and image.focal_35mm is None:
        raise InputError(
            f"--pose needs the intrinsics of {image.name}, which has no EXIF focal length: give {flag} "
            "fx,fy,cx,cy in pixels, --camera or --cameras-file"
        )
    return image.exif_camera() if camera is None else camera
