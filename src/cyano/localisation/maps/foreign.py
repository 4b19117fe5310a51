"""A model of anybody's, of SIFT or else, to a map: its poses and cameras stay, its points are made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from cyano.collection import (
    Collection,
    Run,
    align_images,
    extract_images,
    match_pairs,
    select_pairs,
    write_triangulated,
)
from cyano.collection.links import link_images
from cyano.collection.run import DEFAULT_RUN
from cyano.collection.stages import need_pairs
from cyano.engine import SOME_FAILED, Recipe, Summary
from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.formats.colmap.map_model import MapImage, MapModel, read_map_model
from cyano.formats.mapping.triangulation import TriangulationSummary
from cyano.pairs import PairOptions, covisible, spatial
from cyano.types import ImageSize

__all__ = ["ForeignMap", "make_map"]

_SHARING, _NEARBY, _ANGLE = 20, 5, 60.0
"""Images that each one is matched with: that share most points with it, and the nearest that look the same way."""

_ALONE = 20
"""Likewise by pose alone, where the model has no points."""


@dataclass(frozen=True, eq=False)
class ForeignMap:
    """What became of a model that was made a map.

    Attributes:
        extraction: of its images.
        pairs: by which they were selected, in words.
        matching: of these.
        alignment: of the keypoints; None where it was left out.
        model: the points.
        left_out: images of the model that are not in the map, with the reasons.
        notes: what the user should know.

    Example:
        >>> sparse = Path("run/sparse").rename("posed") / "0"  # a model, whoever made it
        >>> done = make_map(sparse, Path("scene"), Path("run"), recipe)  # features are in run
        >>> done.model.images, done.left_out, done.exit_status
        (6, {}, 0)
    """

    extraction: Summary
    pairs: str
    matching: Summary
    alignment: Summary | None
    model: TriangulationSummary
    left_out: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def stages(self) -> tuple[Summary, ...]:
        """Those that go over images and pairs, in their order."""
        return self.extraction, self.matching, *([] if self.alignment is None else [self.alignment])

    @property
    def exit_status(self) -> int:
        """0 if all images of the model are in the map and agree with their matches, else 3."""
        doubtful = bool(self.left_out or self.model.doubtful)
        return max(SOME_FAILED if doubtful else 0, *(stage.exit_status for stage in self.stages))


def make_map(
    sparse: Path,
    images: Path,
    out: Path,
    recipe: Recipe,
    *,
    pairs: PairOptions | None = None,
    align: bool = True,
    run: Run = DEFAULT_RUN,
) -> ForeignMap:
    """Make a map of a COLMAP model: extract, match and align its images, and triangulate with its poses.

    Args:
        sparse: folder of the model, in binary or text form; it is only read.
        images: folder of its images, under the names that the model has.
        out: folder of the map, as of `cyano reconstruct`; what is done there already is not done again.
        recipe: networks and options.
        pairs: which are matched; None for the images that share most points with each, and those nearest by pose.
        align: make keypoints exact before they become points.
        run: how; with all of the work.

    Raises:
        InputError: there is no such model, no image of it can be used, or no point comes of it.
        OutputError: results are of other options, made by something else, or cannot be written.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> done = make_map(Path("run/sparse/0"), Path("scene"), Path("map"), recipe)
        >>> place = Map.open(Path("map"), recipe)
        >>> len(place.names)
        6
    """
    if run.share is not None:
        raise InputError("a map needs all pairs; make it without a share")
    posed = read_map_model(sparse)
    if len(posed.images) < 2:
        raise InputError(
            f"{sparse} has {len(posed.images)} images with a pose, and a map needs two; give another model"
        )
    left_out = _unusable(posed, images)
    collection = Collection(images, out, recipe, listed=_listed(posed, left_out, images))
    need_pairs(pairs, collection.names(), images)
    extraction = extract_images(collection, run)
    left_out |= _of_other_sizes(posed, collection)
    collection = replace(collection, listed=_listed(posed, left_out, images))
    left_out |= {failure.item[0]: failure.reason for failure in extraction.failures}
    if pairs is None:
        method, chosen = _near(posed, [name for name in collection.names() if name not in left_out])
    else:
        choice = select_pairs(collection, pairs)
        method, chosen = choice.method, choice.pairs
    run.watcher.say(f"{len(chosen)} pairs ({method})")
    matching = match_pairs(collection, chosen, run)
    alignment = align_images(collection, run) if align else None
    run.watcher.at("points", 0, 1)
    model = write_triangulated(collection, sparse, align=align, force=run.force)
    link_images(out, images)
    run.watcher.at("points", 1, 1)
    return ForeignMap(extraction, method, matching, alignment, model, left_out, tuple(collection.notes()))


def _listed(posed: MapModel, left_out: Mapping[str, str], images: Path) -> tuple[str, ...]:
    """The images that are left.

    Raises:
        InputError: fewer than two.
    """
    names = tuple(name for name in posed.images if name not in left_out)
    if len(names) < 2:
        name, reason = next(iter(left_out.items()))
        raise InputError(
            f"{len(names)} of the {len(posed.images)} images of the model can be used from {images} ({name!r}: "
            f"{reason}); give the folder that the names of the model are relative to (--images)"
        )
    return names


def _unusable(posed: MapModel, images: Path) -> dict[str, str]:
    """The images that are not there, or are displayed otherwise than the model counts their pixels."""
    found = {}
    for name, image in posed.images.items():
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or not (images / name).is_file():
            found[name] = f"it is not in {images}"
        elif facts_in(images / name).is_turned and not _is_as_displayed(image, images / name):
            found[name] = "EXIF turns it, and the model counts the pixels as stored; turn the file itself"
    return found


def _is_as_displayed(image: MapImage, path: Path) -> bool:
    """Whether a camera can only be of the displayed picture: that of a photograph on its side, which is not square."""
    from cyano.processing.images import read

    size = image.camera.size
    return facts_in(path).is_sideways and size == read(path).size and size != size.turned(1)


def _of_other_sizes(posed: MapModel, collection: Collection) -> dict[str, str]:
    sizes = collection.extraction().open().image_sizes(collection.names())
    wanted = {name: posed.images[name].camera.size for name in sizes}
    return {
        name: f"it has {_text(size)} pixels, and its camera is of {_text(camera)}; give the images of the model's size"
        for name, size in sizes.items()
        if (camera := wanted[name]) is not None and camera != size
    }


def _text(size: ImageSize) -> str:
    return f"{size.width}x{size.height}"


def _near(posed: MapModel, names: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """Pairs of images that show the same, and how they were selected."""
    images = [posed.images[name] for name in names]
    poses = np.array([image.T_world_to_camera for image in images])
    centres = -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])
    alike = partial(spatial, centres, names, directions=poses[:, 2, :3], max_angle=_ANGLE)
    if not len(posed.points):
        pairs, method = alike(top_k=_ALONE), f"each with the {_ALONE} nearest that look the same way"
    else:
        pairs = [*covisible([image.points for image in images], names, top_k=_SHARING), *alike(top_k=_NEARBY)]
        method = f"each with the {_SHARING} that share most points, and the {_NEARBY} nearest that look the same way"
    return method, list(dict.fromkeys((pair.name0, pair.name1) for pair in pairs))
