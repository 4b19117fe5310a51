"""What comes of features and matches: COLMAP's database, the sparse model with its picture, and hloc's files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cyano.atomic import write_atomically
from cyano.collection.derived import derived, source_of
from cyano.collection.folder import Collection
from cyano.engine import digest_of, pairs_among
from cyano.errors import InputError
from cyano.formats import (
    CameraOptions,
    DatabaseSummary,
    Mapper,
    ModelSummary,
    export_database,
    export_features,
    export_matches,
    read_model,
    sparse_model,
)
from cyano.pairs.checks import some
from cyano.store import FeatureStore, MatchStore, StoredKeypoints
from cyano.store.keys import checksum, item_key
from cyano.viz import draw_model

__all__ = ["DEFAULT_CAMERAS", "HlocSummary", "write_database", "write_hloc", "write_model"]


DEFAULT_CAMERAS = CameraOptions()
"""Each image has its own camera, and its focal length from EXIF if it is there."""


@dataclass(frozen=True)
class HlocSummary:
    """What hloc's files hold: images with features, and pairs with matches."""

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
    """
    features, matches, names = collection.stored()
    exact = _exact(collection, names) if align and collection.verification is not None else {}
    made_from = _source(features, matches, names, str(cameras), exact)

    def make() -> DatabaseSummary:
        summary = export_database(
            collection.database,
            features,
            matches,
            replace(cameras, images=collection.images),
            verification="colmap" if collection.verification is None else "stored",
            images={name: exact[name].keypoints if name in exact else None for name in names},
            overwrite=True,
        )
        return replace(summary, moved_keypoints=sum(image.moved for image in exact.values()))

    return derived(collection.database, made_from, make, DatabaseSummary, force=force)


def write_model(
    collection: Collection, mapper: Mapper = "incremental", *, keep_cameras: bool = False, force: bool = False
) -> ModelSummary:
    """The sparse model and its picture.

    Args:
        collection: whose.
        mapper: of COLMAP's; see `sparse_model`.
        keep_cameras: as the database has them; likewise.
        force: make it in any case.

    Raises:
        InputError: there is no database yet, or no model comes of it.
        OutputError: it cannot be written, or something else has made it.
        MissingExtraError: pycolmap is not installed.
    """
    source = source_of(collection.database)
    if source is None:
        raise InputError(f"there is no database of this collection in {collection.out}; make it first (cyano colmap)")
    make = partial(_map, collection, mapper, keep_cameras)
    made_from = f"{source} {mapper}{' kept cameras' * keep_cameras}"
    return derived(collection.sparse, made_from, make, ModelSummary, force=force)


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
    """
    features, matches, names = collection.stored()
    exact = _exact(collection, names) if align and collection.verification is not None else {}

    def make() -> HlocSummary:
        places = {name: image.keypoints for name, image in exact.items()}
        images = export_features(features, collection.hloc / "features.h5", names, places=places, overwrite=True)
        pairs = pairs_among(matches, names)
        return HlocSummary(
            images, export_matches(features, matches, collection.hloc / "matches.h5", pairs, overwrite=True)
        )

    return derived(collection.hloc, _source(features, matches, names, "", exact), make, HlocSummary, force=force)


def _exact(collection: Collection, names: list[str]) -> dict[str, StoredKeypoints]:
    """The exact keypoints of the images, but for those that cannot be aligned any more.

    Raises:
        InputError: some were not aligned yet.
    """
    store = collection.aligning(names).open()
    missing = set(store.missing(names))
    waiting = missing.difference(*(entry.item for entry in store.quarantine.entries()))
    if waiting:
        raise InputError(
            f"{len(waiting)} images of {collection.images} are not aligned ({some(sorted(waiting))}); "
            "first: cyano align (in Python align_images), or leave alignment out"
        )
    return {image.name: image for image in store.read(name for name in names if name not in missing)}


def _source(
    features: FeatureStore, matches: MatchStore, names: list[str], options: str, exact: Mapping[str, StoredKeypoints]
) -> str:
    """Stands for options, and for which images and pairs there are."""
    aligned = sorted(item_key((name,)) for name in exact)
    return checksum(options.encode("utf-8", "surrogateescape"), digest_of(features, matches, names).encode(), *aligned)


def _map(collection: Collection, mapper: Mapper, keep_cameras: bool) -> ModelSummary:
    summary = sparse_model(
        collection.database, collection.images, collection.sparse, mapper, keep_cameras=keep_cameras, overwrite=True
    )
    _draw(collection.sparse / "0", collection.picture)
    return summary


def _draw(model: Path, picture: Path) -> None:
    read = read_model(model)
    buffer = io.BytesIO()
    draw_model(read.points, read.T_world_to_camera, read.colours).savefig(buffer, format="png")
    write_atomically(picture, buffer.getvalue())
