"""What comes of features and matches: COLMAP's database, the sparse model with its picture, and hloc's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from cyano.atomic import tidy, written
from cyano.collection.derived import derived, digest_of_content, source_of
from cyano.collection.folder import Collection
from cyano.collection.links import link_images
from cyano.collection.views import ModelViews, write_views
from cyano.engine import digest_of, pairs_among
from cyano.errors import InputError
from cyano.formats import (
    CameraOptions,
    DatabaseSummary,
    MappingOptions,
    ModelSummary,
    export_database,
    export_features,
    export_matches,
    sparse_model,
)
from cyano.formats.colmap.database import remove_side_files
from cyano.formats.items import images_of, verified_of
from cyano.formats.mapping.triangulation import Sightings, TriangulationSummary, triangulated_model
from cyano.pairs.checks import some
from cyano.store import FeatureStore, KeypointStore, MatchStore, StoredKeypoints
from cyano.store.keys import checksum, item_key

__all__ = [
    "DEFAULT_CAMERAS",
    "DEFAULT_MAPPING",
    "HlocFeatures",
    "HlocSummary",
    "write_database",
    "write_hloc",
    "write_hloc_features",
    "write_model",
    "write_triangulated",
]


DEFAULT_CAMERAS = CameraOptions()
"""Each image has its own camera, and its focal length from EXIF if it is there."""

DEFAULT_MAPPING = MappingOptions()


@dataclass(frozen=True)
class HlocSummary:
    """What hloc's files hold: images with features, and pairs with matches.

    Example:
        >>> summary = write_hloc(collection)
        >>> summary.images, summary.pairs
        (6, 15)
    """

    images: int
    pairs: int


def write_database(
    collection: Collection,
    cameras: CameraOptions = DEFAULT_CAMERAS,
    *,
    align: bool = True,
    force: bool = False,
) -> DatabaseSummary:
    """COLMAP's database of the images that have features, with all of their pairs that were matched so far.

    Args:
        collection: whose.
        cameras: what is known of them; focal lengths are read from the collection's images.
        align: with the exact keypoints of `align_images`, where pairs are verified.
        force: make it in any case.

    Raises:
        InputError: there are no features yet, or they are not aligned; or see `export_database`.
        OutputError: it cannot be written, or something else has made it.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> write_database(collection).verified_pairs  # for COLMAP, in run/database.db
        15
    """
    source = _source(collection, align)

    def make(path: Path) -> DatabaseSummary:
        exact = source.exact()
        summary = export_database(
            path,
            source.features,
            source.matches,
            replace(cameras, images=collection.images),
            verification="colmap" if collection.verification is None else "stored",
            images={name: exact[name].keypoints if name in exact else None for name in source.names},
        )
        remove_side_files(collection.database)
        return replace(summary, moved_keypoints=sum(image.moved for image in exact.values()))

    return derived(collection.database, source.digest(str(cameras)), make, DatabaseSummary, force=force)


def write_model(
    collection: Collection, mapping: MappingOptions = DEFAULT_MAPPING, *, force: bool = False
) -> ModelSummary:
    """The sparse model, with what it is looked at with: see `write_views`.

    Args:
        collection: whose.
        mapping: how; see `sparse_model`.
        force: make it in any case.

    Raises:
        InputError: there is no database yet, or no sound model comes of it.
        OutputError: it cannot be written, or something else has made it.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> summary = write_model(collection)  # of run/database.db, in run/sparse/0
        >>> summary.registered, summary.sound
        (6, True)
    """
    source = source_of(collection.database)
    if source is None:
        raise InputError(f"there is no database of this collection in {collection.out}; make it first (cyano colmap)")

    def make(folder: Path) -> ModelSummary:
        summary = sparse_model(collection.database, collection.images, folder, mapping)
        _remove_views(collection)
        return summary

    summary = derived(collection.sparse, f"{source} {mapping}", make, ModelSummary, force=force)
    _write_views(collection, summary)
    link_images(collection.out, collection.images)
    return summary


def _remove_views(collection: Collection) -> None:
    """Before another model takes the place of theirs."""
    for path in ModelViews.within(collection.out):
        with written(path):
            path.unlink(missing_ok=True)


def _write_views(collection: Collection, summary: ModelSummary | None = None) -> None:
    """What the model is looked at with, unless all of it is there."""
    views = ModelViews.within(collection.out)
    tidy(collection.out, {path.name for path in views}.__contains__)
    if not all(path.is_file() for path in views):
        write_views(collection.sparse / "0", collection.out, collection.images.resolve().name, summary)


def write_triangulated(
    collection: Collection, posed: Path, *, align: bool = True, force: bool = False
) -> TriangulationSummary:
    """A sparse model with the poses and cameras of another one, and points of this collection's keypoints and matches.

    Args:
        collection: whose features and matches are there.
        posed: folder of a model of COLMAP's.
        align: with the exact keypoints of `align_images`, where pairs are verified.
        force: make it in any case.

    Raises:
        InputError: there are no features yet, or they are not aligned; or see `triangulated_model`.
        OutputError: it cannot be written, or something else has made it.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> posed = (collection.sparse / "0").rename("posed")  # a model with poses, whoever made it
        >>> summary = write_triangulated(collection, posed, force=True)
        >>> summary.images, (collection.sparse / "0" / "points3D.bin").exists()
        (6, True)
    """
    source = _source(collection, align)

    def make(folder: Path) -> TriangulationSummary:
        folder.mkdir()
        summary = triangulated_model(posed, source.sightings(), folder / "0", images=collection.images)
        _remove_views(collection)
        return summary

    made_from = f"{source.digest()} {digest_of_content(posed)}"
    summary = derived(collection.sparse, made_from, make, TriangulationSummary, force=force)
    _write_views(collection)
    return summary


def write_hloc(collection: Collection, *, align: bool = True, force: bool = False) -> HlocSummary:
    """Features and matches as hloc reads them, `features.h5` and `matches.h5`.

    Args:
        collection: whose.
        align: see `write_database`.
        force: make them in any case.

    Raises:
        InputError: there are no features yet, or they are not aligned; or see `export_features` and
            `export_matches`.
        OutputError: they cannot be written.
        MissingExtraError: h5py is not installed.

    Example:
        >>> write_hloc(collection)
        HlocSummary(images=6, pairs=15)
        >>> (collection.hloc / "matches.h5").exists()
        True
    """
    source = _source(collection, align)

    def make(folder: Path) -> HlocSummary:
        features, matches = source.features, source.matches
        places = {name: image.keypoints for name, image in source.exact().items()}
        images = export_features(features, folder / "features.h5", source.names, places=places)
        pairs = pairs_among(matches, source.names)
        return HlocSummary(images, export_matches(features, matches, folder / "matches.h5", pairs))

    return derived(collection.hloc, source.digest(), make, HlocSummary, force=force)


@dataclass(frozen=True)
class HlocFeatures:
    """What hloc's file of features holds: so many images.

    Example:
        >>> HlocFeatures(images=6)
        HlocFeatures(images=6)
    """

    images: int


def write_hloc_features(collection: Collection, *, force: bool = False) -> HlocFeatures:
    """Features alone as hloc reads them, `features.h5`; nothing has to be matched for it.

    Args:
        collection: whose.
        force: make it in any case.

    Raises:
        InputError: there are no features yet.
        OutputError: it cannot be written.
        MissingExtraError: h5py is not installed.

    Example:
        >>> write_hloc_features(collection)
        HlocFeatures(images=6)
        >>> collection.hloc_features.name
        'features.h5'
    """
    features = collection.extraction().open()
    listed = collection.names()
    absent = set(features.missing(listed))
    names = [name for name in listed if name not in absent]
    if not names:
        raise InputError(f"there are no features of {collection.images} yet; run `cyano extract` first")
    made_from = checksum(features.folder.name.encode("ascii"), *sorted(item_key((name,)) for name in names))

    def make(path: Path) -> HlocFeatures:
        return HlocFeatures(export_features(features, path, names))

    return derived(collection.hloc_features, made_from, make, HlocFeatures, force=force)


class _Source(NamedTuple):
    """What files are made from.

    Attributes:
        features: of the images.
        matches: of their pairs.
        names: of the images.
        among: stands for the images and their pairs, see `digest_of`.
        keypoints: where exact ones are; None for none.
        aligned: the images that have them.
    """

    features: FeatureStore
    matches: MatchStore
    names: list[str]
    among: str
    keypoints: KeypointStore | None = None
    aligned: Sequence[str] = ()

    def exact(self) -> dict[str, StoredKeypoints]:
        """The exact keypoints by the names of the images."""
        return {} if self.keypoints is None else {image.name: image for image in self.keypoints.read(self.aligned)}

    def sightings(self) -> Sightings:
        """The keypoints, exact where they are, and the verified matches; all matches where none are verified."""
        keypoints = {image.name: image.keypoints for image in images_of(self.features, self.names)}
        keypoints |= {name: image.keypoints for name, image in self.exact().items()}
        return Sightings(keypoints, verified_of(self.matches, pairs_among(self.matches, self.names)))

    def digest(self, options: str = "") -> str:
        """Stands for all of it, and for options."""
        aligned = sorted(item_key((name,)) for name in self.aligned)
        return checksum(options.encode("utf-8", "surrogateescape"), self.among.encode(), *aligned)


def _source(collection: Collection, align: bool) -> _Source:
    """What there is by now, with exact keypoints but of images that cannot be aligned any more.

    Raises:
        InputError: there are no features yet, or some images were not aligned yet and are to be.
    """
    features, matches, names = collection.stored()
    if not align or collection.verification is None:
        return _Source(features, matches, names, digest_of(features, matches, names))
    stage = collection.aligning(names)
    store = stage.open()
    missing = set(store.missing(names))
    waiting = missing.difference(*(entry.item for entry in store.quarantine.entries()))
    if waiting:
        raise InputError(
            f"{len(waiting)} images of {collection.images} have no refined keypoints ({some(sorted(waiting))}); "
            "run `cyano align` first (in Python align_images), or leave alignment out"
        )
    aligned = [name for name in names if name not in missing]
    return _Source(features, matches, names, stage.digest, store, aligned)
