"""The cameras of a COLMAP database: which images share one, and what is known of it beforehand."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from cyano.errors import InputError
from cyano.exif import ExifFacts, facts_in
from cyano.formats.colmap.pixels import lens_to_colmap
from cyano.formats.extras import load_pycolmap
from cyano.formats.mapping.known_cameras import CameraEntry
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
        model: COLMAP's name of the model, for images that are not in `listed`.
        sharing: which images share a camera: each has its own ("image"), those of a folder, or all. Images of
            different sizes never do.
        params: of the model, in COLMAP's order and pixels; () begins with the focal length of EXIF, or 1.2 times the
            longest side. Images of other sizes, and those that EXIF turns, get them scaled and turned.
        images: folder of the images, to read the EXIF from; None to do without.
        size: of the picture that `params` are for; see `CameraEntry`.
        listed: what is known of the cameras of single images, by name, and of folders, by name with a slash at the
            end; "" is that of all. The nearest counts. Images with equal `LensCamera`s share one, others as `sharing`
            says. See `LensCamera.displayed` for how they follow the images' sizes and EXIF turns.

    Raises:
        InputError: the sharing is unknown, or see `CameraEntry`.

    Example:
        >>> options = CameraOptions("PINHOLE", sharing="all", params=(400, 400, 240, 180))
        >>> options.entries()[""].params
        (400, 400, 240, 180)
    """

    model: str = "SIMPLE_RADIAL"
    sharing: Sharing = "image"
    params: tuple[float, ...] = ()
    images: str | os.PathLike[str] | None = None
    size: ImageSize | None = None
    listed: Mapping[str, LensCamera | CameraEntry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.sharing not in get_args(Sharing):
            raise InputError(f"unknown sharing {self.sharing!r}: choose one of {', '.join(get_args(Sharing))}")
        _ = self.default  # checks it

    def __str__(self) -> str:
        """All that decides the cameras but the images' own EXIF data, in one line."""
        listed = sorted(self.listed.items())
        shared = [(name, entry.shared) for name, entry in listed if isinstance(entry, CameraEntry) and entry.shared]
        return f"{self.sharing} {self.default} {listed}" + (f" {shared}" if shared else "")

    @property
    def default(self) -> CameraEntry:
        """What is known of images that are nowhere else."""
        return CameraEntry(self.model, self.params, self.size)

    def entries(self) -> dict[str, LensCamera | CameraEntry]:
        """What is known, by name, that of all images by ""."""
        return {"": self.default, **self.listed}


def need_camera(options: CameraOptions, names: Iterable[str]) -> None:
    """Refuse early what would be refused when the database is written: an entry that is of no image.

    Args:
        options: what is known of the cameras.
        names: of the images.

    Raises:
        InputError: an entry is of no image.
    """
    names = list(names)
    unused = set(options.listed) - {which(options.listed, name) for name in names}
    if unused:
        raise InputError(
            f"the cameras of {some(sorted(map(repr, unused)))} belong to no image; name images as they are in the "
            "folder of the images, and folders with a slash at the end"
        )


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
            MissingExtraError: pycolmap is not installed.
        """
        self._pycolmap = load_pycolmap()
        self._entries = options.entries()
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
            InputError: the parameters are of a picture of another shape.
        """
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
        known, facts, stored = self._entries[entry], self.exif(name), self._as_stored(name, size)
        lens = self._lenses.get(entry)
        if lens is None:
            lens = known if isinstance(known, LensCamera) else known.lens([stored])
        shown = lens.displayed(stored, facts.orientation, repr(name), same_model=True)
        camera = lens_to_colmap(self._pycolmap, shown)
        camera.has_prior_focal_length = True
        if isinstance(known, LensCamera):
            return (lens, shown), camera
        return (known.shared or (self._group(name), entry), shown), camera

    def _as_stored(self, name: str, size: ImageSize) -> ImageSize:
        return size.turned(1 if self.exif(name).is_sideways else 0)

    @cached_property
    def _lenses(self) -> dict[str, LensCamera]:
        """By entry whose parameters are for a size that nobody said: its camera, by the sizes of its images."""
        stored: dict[str, list[ImageSize]] = {}
        for name, size in self._sizes().items():
            stored.setdefault(which(self._entries, name) or "", []).append(self._as_stored(name, size))
        unsized = {
            entry: known
            for entry, known in self._entries.items()
            if isinstance(known, CameraEntry) and known.params and known.size is None
        }
        return {entry: known.lens(stored[entry]) for entry, known in unsized.items() if entry in stored}
