"""The cameras of a COLMAP database: which images share one, and what is known of it beforehand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from cyano.errors import InputError
from cyano.exif import ExifFacts, facts_in
from cyano.formats.colmap_pixels import lens_to_colmap
from cyano.formats.extras import load_pycolmap
from cyano.formats.known_cameras import KnownCamera, camera_of, check_camera_model, reference_size
from cyano.geometry import Camera, LensCamera
from cyano.pairs.checks import some
from cyano.pairs.entries import which
from cyano.types import ImageSize

__all__ = ["CameraOptions", "CameraPlan", "Sharing", "need_camera"]

Sharing = Literal["image", "folder", "all"]

_DEFAULT_FOCAL = 1.2
"""Focal length over the longest side where nothing is known; COLMAP begins with the same."""


@dataclass(frozen=True, eq=False)
class CameraOptions:
    """What is known of the cameras.

    Attributes:
        model: COLMAP's name of the model, for images that are neither in `listed` nor in `known`.
        sharing: which images share a camera: each has its own ("image"), those of a folder, or all. Images of
            different sizes never do.
        params: of the model, in COLMAP's order and pixels; () begins with the focal length of EXIF, or 1.2 times the
            longest side. Images of other sizes, and those that EXIF turns, get them scaled and turned.
        images: folder of the images, to read the EXIF from; None to do without.
        known: the intrinsics of images by name, in Cyano's pixels; images with equal ones share a camera.
        size: of the picture that `params` are for; see `KnownCamera`.
        listed: what is known of the cameras of single images, by name, and of folders, by name with a slash at the
            end. The nearest counts.

    Raises:
        InputError: the sharing is unknown, or a parameter is not finite.
    """

    model: str = "SIMPLE_RADIAL"
    sharing: Sharing = "image"
    params: tuple[float, ...] = ()
    images: str | os.PathLike[str] | None = None
    known: Mapping[str, Camera | LensCamera] | None = None
    size: ImageSize | None = None
    listed: Mapping[str, KnownCamera] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.sharing not in get_args(Sharing):
            raise InputError(f"unknown sharing {self.sharing!r}: choose one of {', '.join(get_args(Sharing))}")
        _ = self.default  # checks it

    def __str__(self) -> str:
        """All that decides the cameras but the images' own EXIF data, in one line."""
        known, listed = sorted((self.known or {}).items()), sorted(self.listed.items())
        shared = sorted((name, camera.shared) for name, camera in self.listed.items() if camera.shared)
        return f"{self.sharing} {self.default} {known} {listed}" + (f" {shared}" if shared else "")

    @property
    def default(self) -> KnownCamera:
        """What is known of images that are nowhere else."""
        return KnownCamera(self.model, self.params, self.size)

    def entries(self) -> dict[str, KnownCamera]:
        """What is known, by name, that of all images by ""."""
        return {"": self.default, **self.listed}


def need_camera(options: CameraOptions, names: Iterable[str] = ()) -> None:
    """Refuse early what would be refused when the database is written.

    COLMAP is asked in another process: it takes over the signals of the one that loads it.

    Args:
        options: what is known of the cameras.
        names: of the images; without, whether the entries of `listed` are of any is not looked at.

    Raises:
        InputError: COLMAP has no such model, the parameters are not those of the model, or an entry is of no image.
    """
    names = list(names)
    unused = set(options.listed) - {which(options.listed, name) for name in names}
    if names and unused:
        raise InputError(
            f"the cameras of {some(sorted(map(repr, unused)))} are of no image; name images as they are in the folder "
            "of the images, and folders with a slash at the end"
        )
    if not options.listed and (options.model, options.params) == (CameraOptions.model, ()):
        return
    asked = json.dumps(sorted({(camera.model, camera.params) for camera in options.entries().values()}))
    command = [sys.executable, "-c", _ASK]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode == _REFUSED:  # whatever else goes wrong there goes wrong in the end as well, and is told then
        raise InputError(done.stdout.strip())


_REFUSED = 2
_ASK = f"""
import json, sys
from cyano.errors import InputError
from cyano.formats.colmap_cameras import CameraOptions, CameraPlan
from cyano.types import ImageSize
size = ImageSize(480, 640)
try:
    for model, params in json.load(sys.stdin):
        CameraPlan(["any"], CameraOptions(model, params=tuple(params), size=size)).of("any", size)
except InputError as error:
    print(error)
    sys.exit({_REFUSED})
"""


class CameraPlan:
    """The camera of each image of a collection."""

    def __init__(
        self, names: Iterable[str], options: CameraOptions, sizes: Callable[[], Mapping[str, ImageSize]] = dict
    ) -> None:
        """Plan for these images; no file is read yet.

        Args:
            names: of the images.
            options: what is known of the cameras.
            sizes: gives the sizes of the images as displayed, to find out which one parameters are for.

        Raises:
            InputError: COLMAP has no such model.
            MissingExtraError: pycolmap is not installed.
        """
        self._pycolmap = load_pycolmap()
        self._entries = options.entries()
        for entry in self._entries.values():
            check_camera_model(self._pycolmap, entry.model)
        self._options = options
        self._sizes = sizes
        self.exif = cache(self._exif)
        self._groups: dict[str, list[str]] = {}
        for name in names:
            self._groups.setdefault(self._group(name), []).append(name)

    def _group(self, name: str) -> str:
        folder = str(PurePosixPath(name).parent)
        return {"image": name, "folder": folder, "all": ""}[self._options.sharing]

    def _exif(self, name: str) -> ExifFacts:
        """The facts of an image's file, if the folder of the images is known."""
        return ExifFacts() if self._options.images is None else facts_in(Path(self._options.images) / name)

    def of(self, name: str, size: ImageSize) -> tuple[Hashable, Any]:
        """COLMAP's camera of an image.

        Args:
            name: of the image.
            size: of the original image as displayed.

        Returns:
            A key that is equal for the images that share the camera, and the camera.

        Raises:
            InputError: the parameters are not those of the model, or are of a picture of another shape.
        """
        known = (self._options.known or {}).get(name)
        if known is not None:
            own = known.fitted(size, repr(name))
            lens = own if isinstance(own, LensCamera) else LensCamera.from_pinhole(replace(own, size=size))
            return (own, size), self._prior(lens_to_colmap(self._pycolmap, lens))
        entry = which(self._entries, name) or ""
        if self._entries[entry].params:
            return self._given(entry, name, size)
        focal = next(filter(None, (self.exif(other).focal_35mm for other in self._groups[self._group(name)])), None)
        pixels = _DEFAULT_FOCAL * size.longest if focal is None else Camera.from_focal_35mm(focal, size).fx
        create = self._pycolmap.Camera.create_from_model_name
        camera = create(0, self._entries[entry].model, pixels, size.width, size.height)
        camera.has_prior_focal_length = focal is not None
        return (self._group(name), entry, size), camera

    def _given(self, entry: str, name: str, size: ImageSize) -> tuple[Hashable, Any]:
        known = self._entries[entry]
        if known.size is None:
            known = replace(known, size=self._references.get(entry) or size)
        facts = self.exif(name)
        stored = size.turned(1 if facts.is_sideways else 0)
        camera = self._prior(camera_of(self._pycolmap, known, name, stored, facts.orientation))
        group = (known.shared,) if known.shared else (self._group(name), entry)
        return (*group, size, tuple(camera.params)), camera

    @cached_property
    def _references(self) -> dict[str, ImageSize]:
        """By entry with parameters but without a size: that of the picture that they are for."""
        stored: dict[str, list[ImageSize]] = {}
        for name, size in self._sizes().items():
            entry = which(self._entries, name) or ""
            if self._entries[entry].params and self._entries[entry].size is None:
                stored.setdefault(entry, []).append(size.turned(1 if self.exif(name).is_sideways else 0))
        return {entry: reference_size(self._pycolmap, self._entries[entry], sizes) for entry, sizes in stored.items()}

    def _prior(self, camera: Any) -> Any:
        camera.has_prior_focal_length = True
        return camera
