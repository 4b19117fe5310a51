"""A model into metres: the similarity by which its cameras stand where their positions say."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.collection import write_views
from cyano.collection.derived import derived, digest_of_content
from cyano.collection.links import link_images
from cyano.concise import json_text
from cyano.engine import SOME_FAILED
from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.formats import read_model
from cyano.formats.colmap.transformed import write_transformed
from cyano.geometry.similarity import FittedSimilarity, fit_similarity, off_line
from cyano.pairs import local_metres, metres_from, middle_of, read_poses

__all__ = ["Coordinates", "Frame", "Georeference", "georeference"]

Coordinates = Literal["xyz", "geodetic"]
Frame = Literal["enu", "ecef"]

_LARGEST_TURN = 10.0
"""Degrees, standard deviation of the turn about the line that positions nearly stand in."""


@dataclass(frozen=True)
class Georeference:
    """How a model was brought into the frame of positions.

    Attributes:
        frame: "xyz" is that of the positions; "enu" is east, north and up from `origin`, "ecef" Earth-centred and
            Earth-fixed; both in metres.
        origin: degrees north and east, and metres above the ellipsoid of WGS 84; None without.
        scale: units of the frame in one of the model.
        rotation: (9,) row by row, from the model to the frame.
        translation: (3,) likewise.
        residuals: how far each camera is from its position, by name.
        outliers: names of those whose positions do not agree and do not count.
        noise: standard deviation of a coordinate of the others.
        turn: degrees, standard deviation of the rotation about the longest axis of the positions.
        without_position: names of images of the model.

    Example:
        >>> places = "2.65 -1.00 1.48", "2.76 -0.69 1.60", "2.83 -0.36 1.72", "2.86 -0.03 1.84", "2.83 0.31 1.96"
        >>> lines = [f"view{number}.png {place}" for number, place in enumerate(places)]
        >>> np.savetxt("positions.txt", lines, fmt="%s")
        >>> found = georeference(Path("run"), Path("positions.txt"), Path("metres"), max_error=0.05)
        >>> found.frame, found.outliers, found.scale > 0, found.exit_status
        ('xyz', [], True, 0)
    """

    frame: str
    origin: tuple[float, ...] | None
    scale: float
    rotation: tuple[float, ...]
    translation: tuple[float, ...]
    residuals: dict[str, float]
    outliers: list[str]
    noise: float
    turn: float
    without_position: list[str]

    @property
    def exit_status(self) -> int:
        """0 if all positions agree, else 3."""
        return SOME_FAILED if self.outliers else 0


class _Known(NamedTuple):
    """Where images were taken: (N, 3) in the frame, by their names."""

    names: list[str]
    points: NDArray[np.float64]
    frame: str
    origin: tuple[float, ...] | None


def georeference(
    model: Path,
    positions: Path | Literal["exif"],
    out: Path,
    *,
    coordinates: Coordinates = "xyz",
    frame: Frame = "enu",
    images: Path | None = None,
    max_error: float | None = None,
    force: bool = False,
) -> Georeference:
    """Write a model in the frame of positions of its cameras, of which less than half may be wrong.

    Args:
        model: a map as of `cyano reconstruct`, or the folder of a COLMAP model; it is only read.
        positions: a file of lines `name x y z`, or "exif" for the GPS positions of the photographs.
        out: folder of the result, which is a map where the model is one; its report is in `georeference.json`.
        coordinates: what the file has: "xyz" in any rectangular frame, or "geodetic": degrees north, degrees east and
            metres above the ellipsoid of WGS 84. EXIF's are geodetic.
        frame: that geodetic positions are brought into: see `Georeference`.
        images: folder of the images, for EXIF; None for `model/images`.
        max_error: how far positions that count may be off; None for 2.5 times their own noise.
        force: replace what something else has made.

    Raises:
        InputError: there are fewer than three positions, they stand in a line, or too few agree.
        OutputError: it cannot be written.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> places = "2.65 -1.00 1.48", "2.76 -0.69 1.60", "2.83 -0.36 1.72", "2.86 -0.03 1.84", "2.83 0.31 1.96"
        >>> lines = [f"view{number}.png {place}" for number, place in enumerate(places)]
        >>> np.savetxt("positions.txt", lines, fmt="%s")
        >>> found = georeference(Path("run"), Path("positions.txt"), Path("metres"))
        >>> found.without_position, max(found.residuals.values()) < 0.05
        (['view5.png'], True)
    """
    if out.resolve() == model.resolve():
        raise InputError(f"{out} is the model itself, which is not written; give another folder for the result (--out)")
    folder = model / "sparse" / "0" if (model / "sparse" / "0").is_dir() else model
    images = model / "images" if images is None and (model / "images").is_dir() else images
    read = read_model(folder)
    poses = dict(zip(read.names, read.T_world_to_camera, strict=True))
    known = _known(positions, list(read.names), images, coordinates, frame)
    fitted = _fitted(known, poses, max_error)
    found = _summary(known, fitted, list(read.names))

    def make(target: Path) -> Georeference:
        target.mkdir()
        write_transformed(folder, fitted.similarity.matrix, target / "0")
        write_views(target / "0", out, out.resolve().name)
        return found

    _copy_store(model / "store", out / "store")
    if images is not None:
        link_images(out, images)
    made_from = json.dumps([digest_of_content(folder), asdict(found)])
    derived(out / "sparse", made_from, make, Georeference, force=force)
    document = {"format": "cyano-georeference-1", **asdict(found)}
    write_atomically(out / "georeference.json", json_text(document).encode("ascii"))
    return found


def _known(
    positions: Path | Literal["exif"], names: Sequence[str], images: Path | None, coordinates: str, frame: str
) -> _Known:
    """The positions of those images that have one.

    Raises:
        InputError: they cannot be read, or are none.
    """
    for value, kind in ((coordinates, Coordinates), (frame, Frame)):
        if value not in get_args(kind):
            raise InputError(f"{value!r} is not one of {', '.join(get_args(kind))}")
    if positions == "exif":
        if images is None:
            raise InputError("EXIF positions are read from the images; give their folder (--images)")
        places = {name: place for name in names if (place := facts_in(images / name).position) is not None}
        found, rows = list(places), np.array(list(places.values()), np.float64).reshape(-1, 3)
    else:
        read = read_poses(positions, names)
        found, rows = read.names, read.positions
        if coordinates == "xyz":
            return _Known(found, rows, "xyz", None)
        if len(rows) and (np.abs(rows[:, 0]).max() > 90 or np.abs(rows[:, 1]).max() > 360):
            raise InputError(f"{positions} does not have degrees north, degrees east and metres; check --coordinates")
    if frame == "ecef":
        return _Known(found, metres_from(None, rows), "ecef", None)
    return _Known(found, local_metres(*rows.T), "enu", (*middle_of(rows[:, 0], rows[:, 1]), 0.0))


def _fitted(known: _Known, poses: dict[str, NDArray[np.float64]], max_error: float | None) -> FittedSimilarity:
    """The similarity from the model to the positions.

    Raises:
        InputError: they do not determine one.
    """
    if len(known.names) < 3:
        raise InputError(
            f"{len(known.names)} of the {len(poses)} images of the model have a position, and georeferencing needs "
            "three that are not collinear; give more positions, under the image names of the model"
        )
    cameras = np.array([poses[name] for name in known.names])
    centres = -np.einsum("nji,nj->ni", cameras[:, :3, :3], cameras[:, :3, 3])
    fitted = fit_similarity(centres, known.points, max_error=max_error)
    if fitted is None:
        limit = "" if max_error is None else f" within {max_error:g}"
        raise InputError(
            f"the {len(known.names)} positions are collinear, or no three agree with the model{limit}; give "
            "positions off the line, or check them"
        )
    count, turn = int(fitted.inliers.sum()), _turn(known, fitted)
    if 2 * count < len(known.names):
        raise InputError(
            f"only {count} of {len(known.names)} positions agree on where the model is; check the positions, or "
            "allow them a larger error (--max-error)"
        )
    if turn > _LARGEST_TURN:
        raise InputError(
            f"the positions are nearly collinear, and the rotation about their line is uncertain by {turn:.0f} "
            "degrees or more; give positions off the line, or more accurate ones"
        )
    return fitted


def _turn(known: _Known, fitted: FittedSimilarity) -> float:
    """Degrees: noise across the line of the positions, over how far they are off it."""
    points = known.points[fitted.inliers]
    beside = off_line(points)[1] * math.sqrt(len(points))
    return math.degrees(fitted.noise / beside)


def _summary(known: _Known, fitted: FittedSimilarity, names: Sequence[str]) -> Georeference:
    residuals = dict(zip(known.names, map(float, fitted.residuals), strict=True))
    return Georeference(
        known.frame,
        known.origin,
        float(fitted.similarity.scale),
        tuple(map(float, fitted.similarity.R.ravel())),
        tuple(map(float, fitted.similarity.t)),
        residuals,
        [name for name, agrees in zip(known.names, fitted.inliers, strict=True) if not agrees],
        fitted.noise,
        _turn(known, fitted),
        [name for name in names if name not in residuals],
    )


def _copy_store(source: Path, target: Path) -> None:
    """What of a store is not there yet: linked where the file system can, since its files are never changed.

    Raises:
        OutputError: a file cannot be written.
    """
    files = (path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in sorted(files):
        copy = target / path.relative_to(source)
        if copy.exists():
            continue
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)
        except OSError:  # another file system, or one without links
            write_atomically(copy, path.read_bytes())
