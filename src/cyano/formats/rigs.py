"""Rigs: cameras that move together, and the photographs that they took at one moment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.concise import Concise
from cyano.errors import InputError
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.geometry import LensCamera
from cyano.geometry.quaternions import rotation_from
from cyano.reading import parse_json, read_bytes
from cyano.records import record_from

__all__ = ["Rig", "RigCamera"]

_REMEDY = "give COLMAP's rig configuration: a list of one rig with its cameras"


@dataclass(frozen=True, eq=False, repr=False)
class RigCamera(Concise):
    """A camera of a rig.

    Attributes:
        T_rig_to_camera: (4, 4) float64.
        camera: its intrinsics, if they are known.
        prefix: what the names of its images begin with; None for its own name and a slash.

    Example:
        >>> right = np.eye(4)
        >>> right[0, 3] = -0.2  # 0.2 to the right of the rig's origin
        >>> rig = Rig({"left": RigCamera(np.eye(4)), "right": RigCamera(right)})
    """

    T_rig_to_camera: NDArray[np.float64]
    camera: LensCamera | CameraEntry | None = None
    prefix: str | None = None


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras whose poses to each other are known, by name.

    Attributes:
        cameras: by name.

    Raises:
        InputError: there is no camera, or a pose is not rigid.

    Example:
        >>> entries = '[{"cameras": [{"image_prefix": "left/", "ref_sensor": true}]}]'
        >>> written = Path("rig.json").write_text(entries)
        >>> rig = Rig.read("rig.json")
        >>> rig.camera_of("left/7.jpg")
        ('left', '7.jpg')
    """

    cameras: Mapping[str, RigCamera]

    def __post_init__(self) -> None:
        if not self.cameras:
            raise InputError("a rig needs at least one camera")
        for name, each in self.cameras.items():
            if not _is_rigid(np.asarray(each.T_rig_to_camera)):
                raise InputError(f"the pose of the rig's camera {name!r} is not a (4, 4) rigid motion")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Rig:
        """Read COLMAP's rig configuration, a JSON file.

        An example::

            [{"cameras": [
                {"image_prefix": "left/", "ref_sensor": true},
                {"image_prefix": "right/", "cam_from_rig_rotation": [1, 0, 0, 0],
                 "cam_from_rig_translation": [-0.2, 0, 0]}]}]

        Rotations are quaternions (w, x, y, z). `camera_model_name` and `camera_params` say the intrinsics, in COLMAP's
        pixels. Cameras are named by their prefixes without the slash at the end.

        Raises:
            InputError: it is no such file, holds several rigs, or does not say where a camera is.
        """
        document = parse_json(b'{"rigs": %b}' % read_bytes(path), path, remedy=_REMEDY)
        rigs = record_from(_RigFile, document, str(path)).rigs
        if len(rigs) != 1:
            raise InputError(f"{path} holds {len(rigs)} rigs; {_REMEDY}")
        found: dict[str, RigCamera] = {}
        for entry in rigs[0].cameras:
            name = entry.image_prefix.rstrip("/")
            if name in found:
                raise InputError(f"{path}: the camera {name!r} appears twice; remove one")
            found[name] = entry.camera(f"{path}: the camera {name!r}")
        return cls(found)

    def camera_of(self, image: str) -> tuple[str, str]:
        """Which camera took an image, and what else its name says: images of one moment share that.

        Args:
            image: its name.

        Raises:
            InputError: it begins with the prefix of none of the cameras.
        """
        prefixes = {name: f"{name}/" if each.prefix is None else each.prefix for name, each in self.cameras.items()}
        fits = [name for name, prefix in prefixes.items() if image.startswith(prefix)]
        if not fits:
            known = ", ".join(prefixes.values())
            raise InputError(f"{image!r} belongs to no camera of the rig; image names begin with one of {known}")
        name = max(fits, key=lambda each: len(prefixes[each]))
        return name, image[len(prefixes[name]) :].lstrip("/")


def _is_rigid(T: NDArray[np.float64]) -> bool:
    """Whether a matrix is a rotation and a translation."""
    if T.shape != (4, 4) or not np.array_equal(T[3], (0, 0, 0, 1)):
        return False
    return np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-6) and np.linalg.det(T[:3, :3]) > 0


@dataclass(frozen=True)
class _CameraOfRig:
    """A camera in the file."""

    image_prefix: str
    ref_sensor: bool = False
    cam_from_rig_rotation: tuple[float, float, float, float] | None = None
    cam_from_rig_translation: tuple[float, float, float] | None = None
    camera_model_name: str | None = None
    camera_params: tuple[float, ...] = ()

    def camera(self, where: str) -> RigCamera:
        """As a camera of a rig."""
        T, R, t = np.eye(4), self.cam_from_rig_rotation, self.cam_from_rig_translation
        if (R is None or t is None) and not self.ref_sensor:
            raise InputError(
                f"{where} has no cam_from_rig_rotation and cam_from_rig_translation; calibrate the rig first, for "
                "example by COLMAP's rig_configurator"
            )
        if R is not None and t is not None:
            T[:3, :3], T[:3, 3] = rotation_from(R, where), t
        entry = None if self.camera_model_name is None else CameraEntry(self.camera_model_name, self.camera_params)
        return RigCamera(T, entry, self.image_prefix)


@dataclass(frozen=True)
class _RigEntry:
    """A rig in the file."""

    cameras: tuple[_CameraOfRig, ...]


@dataclass(frozen=True)
class _RigFile:
    """The file, whose list has no name there."""

    rigs: tuple[_RigEntry, ...]
