"""What is kept of a localised photograph: a line of JSON, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.formats.colmap.pixels import colmap_params, lens_of
from cyano.geometry import LensCamera, invert_rigid
from cyano.geometry.quaternions import quaternion, rotation_from
from cyano.localisation.outcome import CameraSource, Localisation, Status
from cyano.localisation.photograph.confidence import Evidence
from cyano.reading import parse_json, read_bytes
from cyano.records import record_from
from cyano.types import ImageSize

__all__ = ["FORMAT", "MadeFrom", "Record", "RecordedCamera", "RecordedCandidate", "read_records"]

FORMAT = "cyano-localisation-1"

Vector = tuple[float, ...]

_SIZES = {"quaternion": 4, "translation": 3, "centre": 3, "direction": 3}
"""Numbers of what a record with a pose has."""


@dataclass(frozen=True)
class MadeFrom:
    """What decides a result, each as a digest.

    Attributes:
        map: the model and its features.
        options: all of them, and the weights.
        query: the photograph's content and what is known of its camera.
    """

    map: str
    options: str
    query: str


@dataclass(frozen=True)
class RecordedCamera:
    """Intrinsics of the photograph as it is displayed, in COLMAP's order and pixels."""

    model: str
    width: int
    height: int
    params: Vector

    @classmethod
    def of(cls, lens: LensCamera) -> RecordedCamera:
        """Of a camera."""
        return cls(lens.model, lens.size.width, lens.size.height, colmap_params(lens))

    @property
    def lens(self) -> LensCamera:
        """The camera, in Cyano's pixels."""
        return lens_of(self.model, self.params, ImageSize(self.height, self.width))


@dataclass(frozen=True)
class RecordedCandidate:
    """See `Candidate`."""

    name: str
    correspondences: int
    inliers: int
    aligned: bool


@dataclass(frozen=True)
class Record:
    """What is kept of a localised photograph.

    Attributes:
        format: `FORMAT`.
        name: of the photograph.
        status: see `Localisation`.
        message: likewise.
        made_from: what decides all of this.
        confidence: likewise.
        inliers: keypoints that agree with the pose.
        evidence: what the confidence follows from; None without a pose.
        orientation: of EXIF: how the stored pixels are turned to be displayed; the pose is of the displayed ones.
        quaternion: (w, x, y, z) of the rotation from the world to the camera; None without a pose, as those below.
        translation: (3,) from the world to the camera.
        centre: (3,) of the camera in the world.
        direction: (3,) in which it looks, of unit length.
        covariance: (36,) of rotation vector and translation, row by row; None where it is unknown, too.
        camera: its intrinsics.
        camera_source: where they are from.
        candidates: the images of the map that were matched.
    """

    format: str
    name: str
    status: Status
    message: str
    made_from: MadeFrom
    confidence: float = 0.0
    inliers: int = 0
    orientation: int = 1
    quaternion: Vector | None = None
    translation: Vector | None = None
    centre: Vector | None = None
    direction: Vector | None = None
    covariance: Vector | None = None
    camera: RecordedCamera | None = None
    camera_source: CameraSource | None = None
    candidates: tuple[RecordedCandidate, ...] = ()
    evidence: Evidence | None = None

    @classmethod
    def of(cls, name: str, found: Localisation, made_from: MadeFrom, orientation: int) -> Record:
        """What is kept of an outcome.

        Args:
            name: of the photograph.
            found: the outcome.
            made_from: what decides it.
            orientation: of EXIF.
        """
        shown = tuple(RecordedCandidate(**vars(each)) for each in found.candidates)
        plain = cls(FORMAT, name, found.status, found.message, made_from, orientation=orientation, candidates=shown)
        camera, pose = found.camera, found.T_world_to_camera
        if camera is None:
            return plain
        return cls(
            **{
                **vars(plain),
                "confidence": found.confidence,
                "inliers": found.inlier_count,
                "evidence": found.evidence,
                "quaternion": _numbers(quaternion(pose[:3, :3])),
                "translation": _numbers(pose[:3, 3]),
                "centre": _numbers(found.centre),
                "direction": _numbers(found.direction),
                "covariance": _numbers(found.covariance) if np.isfinite(found.covariance).all() else None,
                "camera": RecordedCamera.of(camera),
                "camera_source": found.camera_source,
            }
        )

    @property
    def has_pose(self) -> bool:
        """Whether there is one."""
        return self.translation is not None

    @property
    def T_world_to_camera(self) -> NDArray[np.float64]:  # noqa: N802 - the field's name
        """(4, 4) float64; NaN without a pose."""
        pose = np.full((4, 4), np.nan)
        if self.quaternion is None or self.translation is None:
            return pose
        pose[:3, :3] = rotation_from(self.quaternion)
        pose[:, 3] = (*self.translation, 1.0)
        pose[3, :3] = 0
        return pose

    @property
    def T_camera_to_world(self) -> NDArray[np.float64]:  # noqa: N802 - the field's name
        """(4, 4) float64, of a record with a pose."""
        return invert_rigid(self.T_world_to_camera)

    def document(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    def line(self) -> str:
        """As a line of JSON in ASCII."""
        return json.dumps(self.document(), allow_nan=False)


def read_records(path: Path) -> dict[str, Record]:
    """The records of a file, by the names of the photographs; of two of one name the later counts.

    A last line that was cut short, by whatever stopped the process that wrote it, is passed over; no file is an empty
    one.

    Raises:
        InputError: the file cannot be read, or another line is no record.
    """
    if not path.exists():
        return {}
    *lines, _ = read_bytes(path).split(b"\n")
    return {record.name: record for record in _parsed(lines, path)}


def _parsed(lines: Iterable[bytes], path: Path) -> Iterable[Record]:
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        remedy = "remove the file, or give another --out"
        record = record_from(Record, parse_json(line, where, remedy=remedy), where)
        if record.format != FORMAT or not _is_whole(record):
            raise InputError(f"{where} is not a record of this version ({FORMAT}); {remedy}")
        yield record


def _is_whole(record: Record) -> bool:
    """Whether there is a whole pose with its camera, or nothing of it."""
    parts = {name: getattr(record, name) for name in _SIZES}
    covariance = record.covariance
    if record.camera is None:
        return covariance is None and all(part is None for part in parts.values())
    whole = all(part is not None and len(part) == _SIZES[name] for name, part in parts.items())
    return whole and (covariance is None or len(covariance) == 36)


def _numbers(values: NDArray[np.float64]) -> Vector:
    found = tuple(float(value) for value in values.ravel())
    if not all(map(math.isfinite, found)):
        raise ValueError("a pose is of finite numbers")
    return found
