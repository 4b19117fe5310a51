"""The folder of a map that is to grow: links to old and new images, features and matches of the old ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cyano.collection import Collection
from cyano.collection.folder import VERIFICATION
from cyano.engine import pairs_among
from cyano.errors import InputError, OutputError
from cyano.formats.items import batches, check_path
from cyano.localisation.map import Map
from cyano.localisation.queries import Query
from cyano.pairs.checks import some

__all__ = ["begin_folder", "check_new"]

_IMAGES, _PAIRS = 64, 1000
"""Whose features and matches are copied as one shard."""


def check_new(place: Map, queries: Sequence[Query], out: Path) -> None:
    """Check that images can be added to a map in a new folder, before anything is done.

    Raises:
        InputError: there are none, they have masks of their own, names occur twice or cannot name files, or the folder
            is that of the map or of other results.
    """
    if not queries:
        raise InputError("there are no images to add; give some")
    if out.resolve() == place.folder.resolve():
        raise InputError(f"{out} is the map itself, which is not written; give another folder for the result (--out)")
    if place.images is None:
        raise InputError(
            f"the images of the map are not in {place.folder / 'images'}, and new keypoints are refined against them; "
            "give their folder (--images)"
        )
    if (out / "images").is_symlink():  # links to new images would land in somebody's folder
        raise InputError(f"{out} holds results of other images; give another folder for the result (--out)")
    for name in (query.name for query in queries):
        check_path(name)
    masked = sorted(query.name for query in queries if query.mask is not None)
    if masked:
        raise InputError(
            f"{len(masked)} images to add have masks of their own ({some(masked)}), and the masks of a map are among "
            "its options; add the new masks to those of the map (--masks, in Python Recipe.masks)"
        )
    taken = sorted({query.name for query in queries} & set(place.model.images))
    if taken:
        raise InputError(
            f"the map already has images with the names of {len(taken)} to add ({some(taken)}); leave those out, or "
            "give all new names a prefix (--prefix)"
        )
    if len({query.name for query in queries}) < len(queries):
        raise InputError("two images to add have the same name; give each once")


def begin_folder(place: Map, queries: Sequence[Query], out: Path) -> Collection:
    """Links to the images, and the features and matches of the map, whatever of it is not there yet.

    Args:
        place: the map.
        queries: images to add; see `check_new`.
        out: folder of the grown map.

    Returns:
        The collection of old and new images.

    Raises:
        InputError: other images of these names are there.
        OutputError: the folder cannot be written, or holds features of other options.
    """
    names = [*place.names, *(query.name for query in queries)]
    _link(out / "images", [(name, (place.images or Path()) / name) for name in place.names])
    _link(out / "images", [(query.name, query.path) for query in queries])
    collection = Collection(out / "images", out, place.recipe, listed=tuple(names))
    features = place.recipe.features(collection.store)
    for some_names in batches(features.missing(place.names), _IMAGES):
        features.write(place.store.read(some_names))
    if place.recipe.has_matches(place.folder / "store", VERIFICATION):
        old = place.recipe.matches(place.folder / "store", VERIFICATION)
        matches = place.recipe.matches(collection.store, VERIFICATION)
        for some_pairs in batches(matches.missing(pairs_among(old, place.names)), _PAIRS):
            matches.write(old.read(some_pairs))
    return collection


def _link(folder: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Links by these names to files that are there; files that are not are passed over."""
    for name, path in files:
        link, target = folder / name, path.resolve()
        if os.path.lexists(link):
            if link.resolve() != target:
                raise InputError(f"{link} and {path} are different images; give another folder for the result (--out)")
            continue
        if not target.is_file():
            continue
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        except OSError as error:
            raise OutputError(f"{link} cannot be made: {error.strerror or error}; check the folder") from error
