"""The maps of a set: each photograph is a query once, in maps of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cyano.collection import Collection, reconstruct, write_triangulated
from cyano.collection.run import Run
from cyano.engine import Recipe
from cyano.errors import InputError
from cyano.formats import CameraOptions, MappingOptions
from cyano.formats.colmap.map_model import read_map_model
from cyano.formats.colmap.posed_model import PosedImage, write_posed
from cyano.localisation import Map
from cyano.localisation_evaluation.sets import PosedPhotograph, PosedSet
from cyano.localisation_evaluation.similarity import Similarity, similarity

__all__ = ["Fold", "Made", "folds_of", "make_map_a", "make_map_b"]


@dataclass(frozen=True, eq=False)
class Fold:
    """What is localised, and what the maps are made of.

    Attributes:
        number: from 0.
        queries: every k-th photograph.
        rest: the others.
    """

    number: int
    queries: tuple[PosedPhotograph, ...]
    rest: tuple[PosedPhotograph, ...]


@dataclass(frozen=True, eq=False)
class Made:
    """A map, and how its frame lies in that of the set.

    Attributes:
        map: to localise in.
        to_set: from its frame to the set's.
    """

    map: Map
    to_set: Similarity


def folds_of(photographs: Sequence[PosedPhotograph], count: int) -> list[Fold]:
    """So many folds, of which the n-th has every photograph n, n + count, ... as a query."""
    every = list(photographs)
    return [
        Fold(
            number,
            tuple(every[number::count]),
            tuple(each for place, each in enumerate(every) if place % count != number),
        )
        for number in range(count)
    ]


@dataclass(frozen=True, eq=False)
class _Part(Collection):
    """Some photographs of a folder, with features and matches in a store that all parts share."""

    chosen: tuple[str, ...] = ()
    shared: Path = Path()

    def names(self) -> list[str]:
        return sorted(self.chosen)

    @property
    def store(self) -> Path:
        return self.shared


def _part(posed: PosedSet, fold: Fold, recipe: Recipe, folder: Path) -> _Part:
    out, names = folder / f"fold{fold.number}", tuple(each.name for each in fold.rest)
    return _Part(posed.folder, out, recipe, chosen=names, shared=folder / "store")


def make_map_b(posed: PosedSet, fold: Fold, recipe: Recipe, folder: Path, *, seed: int = 0, run: Run) -> Made:
    """What `cyano reconstruct` makes of the photographs that are no queries, aligned to their poses.

    Args:
        posed: the set.
        fold: of it.
        recipe: networks and options.
        folder: of the set's results.
        seed: of the mapper.
        run: how.

    Raises:
        InputError: no model comes of it that three of the photographs are in.
    """
    part = _part(posed, fold, recipe, folder)
    cameras = CameraOptions(listed={each.name: each.camera for each in fold.rest}, sharing="all")
    mapping = MappingOptions(keep_cameras=True, seed=seed, threads=1)
    reconstruct(part, cameras=cameras, mapping=mapping, run=run)
    found = _map(part.out, part)
    true = {each.name: each.T_world_to_camera for each in fold.rest}
    return Made(found, similarity({name: found.image(name).T_world_to_camera for name in found.names}, true))


def make_map_a(posed: PosedSet, fold: Fold, recipe: Recipe, folder: Path) -> Made:
    """Points triangulated with the photographs' own poses and cameras, from what `make_map_b` matched and aligned.

    Raises:
        InputError: `make_map_b` did not come so far, or there are no points.
    """
    part = _part(posed, fold, recipe, folder)
    part = replace(part, out=part.out / "posed")
    cameras = part.out / "cameras"
    write_posed([PosedImage(each.name, each.camera, each.T_world_to_camera) for each in fold.rest], cameras)
    write_triangulated(part, cameras)
    return Made(_map(part.out, part), Similarity.identity())


def _map(folder: Path, part: _Part) -> Map:
    model = read_map_model(folder / "sparse" / "0")
    if not len(model.points):
        raise InputError(f"the model in {folder} has no points, which localisation needs")
    return Map(folder, model, part.recipe.features(part.store), part.recipe, part.images)
