"""What comes of features and matches: COLMAP's database, the sparse model with its picture, and hloc's files."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cyano.atomic import write_atomically
from cyano.collection.alignment import Aligned, align_keypoints
from cyano.collection.derived import derived, source_of
from cyano.collection.folder import Collection
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
from cyano.store import FeatureStore, MatchStore
from cyano.store.keys import checksum, item_key
from cyano.viz import draw_model
from cyano.watching import NOBODY, Watcher

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
    watcher: Watcher = NOBODY,
    force: bool = False,
) -> DatabaseSummary:
    """COLMAP's database of the images that have features, with all of their pairs that were matched so far.

    Args:
        collection: whose.
        cameras: what is known of them; focal lengths are read from the collection's images.
        align: make keypoints exact first (`cyano.collection.alignment`), where pairs are verified.
        watcher: follows that.
        force: make it in any case.

    Raises:
        ImageError: an image cannot be read any more, which alignment needs.
        InputError: there are no features yet; or see `export_database`.
        OutputError: it cannot be written, or something else has made it.
        MissingExtraError: pycolmap is not installed.
    """
    features, matches, names = collection.stored()
    align = align and collection.verification is not None

    def make() -> DatabaseSummary:
        aligned = align_keypoints(collection, features, matches, names, watcher) if align else Aligned({}, 0)
        summary = export_database(
            collection.database,
            features,
            matches,
            replace(cameras, images=collection.images),
            verification="colmap" if collection.verification is None else "stored",
            images={name: aligned.keypoints.get(name) for name in names},
            overwrite=True,
        )
        return replace(summary, moved_keypoints=aligned.moved)

    made_from = _source(features, matches, names, str(cameras), *["aligned"] * align)
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


def write_hloc(collection: Collection, *, force: bool = False) -> HlocSummary:
    """Features and matches as hloc reads them, `features.h5` and `matches.h5`.

    Args:
        collection: whose.
        force: make them in any case.

    Raises:
        InputError: there are no features yet; or see `export_features` and `export_matches`.
        OutputError: they cannot be written.
        MissingExtraError: h5py is not installed.
    """
    stored = collection.stored()
    return derived(collection.hloc, _source(*stored), partial(_hloc, collection, *stored), HlocSummary, force=force)


def _source(features: FeatureStore, matches: MatchStore, names: list[str], *options: str) -> str:
    """Stands for options, and for which images and pairs there are."""
    texts = "\0".join((features.folder.name, matches.folder.name, *options)).encode("utf-8", "surrogateescape")
    stored = matches.keys()
    keys = [item_key((name,)) for name in names] + sorted(item_key(pair) for pair in stored)
    return checksum(texts, *keys)


def _hloc(collection: Collection, features: FeatureStore, matches: MatchStore, names: list[str]) -> HlocSummary:
    kept, stored = set(names), matches.keys()
    pairs = sorted(pair for pair in stored if kept.issuperset(pair))
    return HlocSummary(
        export_features(features, collection.hloc / "features.h5", names, overwrite=True),
        export_matches(features, matches, collection.hloc / "matches.h5", pairs, overwrite=True),
    )


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
