"""The rounds by which a map takes up images: localise those that are left, add those that could be, and again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.collection import Collection, Run, write_views
from cyano.collection.derived import derived, digest_of_content, summary_of
from cyano.engine import digest_of, pairs_among
from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.formats.items import verified_of
from cyano.formats.mapping.growing import GrowingModel, NewImage
from cyano.formats.poses.absolute_pose import Intrinsics
from cyano.localisation.localiser import Localiser
from cyano.localisation.map import Map, pixels_of
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import Localisation
from cyano.localisation.photograph.cameras import intrinsics_of
from cyano.localisation.photograph.features import Photograph
from cyano.localisation.queries import Query
from cyano.matcher import Matcher
from cyano.pairs.checks import some
from cyano.store import KeypointStore

__all__ = ["Growing", "Growth"]


@dataclass(frozen=True)
class Growth:
    """The grown model.

    Attributes:
        images: with a pose.
        added: how many points each added image sees, by name.
        failed: why the other images were not added, by name.
        old_points: points that the map had.
        new_points: points that came to them.
        mean_reprojection_error: in pixels, of all observations.
        new_reprojection_error: of those of the added images.
        rounds: how often the images that were left were localised.

    Example:
        >>> growth = add_images(Map.open(Path("run"), recipe), Path("new.png"), Path("grown")).model
        >>> growth.images, growth.added["new.png"] > 12, growth.mean_reprojection_error < 1
        (7, True, True)
    """

    images: int
    added: dict[str, int]
    failed: dict[str, str]
    old_points: int
    new_points: int
    mean_reprojection_error: float
    new_reprojection_error: float
    rounds: int


@dataclass(eq=False)
class Growing:
    """The rounds by which a map takes up images.

    Attributes:
        place: the old map.
        collection: of all images, with features and matches.
        queries: the new ones.
        options: how they are localised.
        fix_old: see `add_images`.
        align: likewise.
        run: likewise.
        outcomes: of the new images, by name.
    """

    place: Map
    collection: Collection
    queries: Sequence[Query]
    options: LocaliseOptions
    fix_old: bool
    align: bool
    run: Run
    outcomes: dict[str, Localisation] = field(default_factory=dict)

    def derived(self, *, force: bool) -> Growth:
        """The grown model, made unless it is there already.

        Raises:
            InputError: another one is there, whose images would be lost.
        """
        before = summary_of(self.collection.sparse, Growth)
        lost = [] if before is None else sorted(before.added.keys() - {query.name for query in self.queries})
        if lost and not force:
            raise InputError(
                f"{self.collection.out} is a map with other images added ({some(lost)}); add to that one (--to) in "
                "another --out, or replace it with --overwrite"
            )
        return derived(self.collection.sparse, self._made_from(), self._make, Growth, force=force)

    def _made_from(self) -> str:
        features, matches, names = self.collection.stored()
        decides = {
            "map": digest_of_content(self.place.folder / "sparse" / "0"),
            "matched": digest_of(features, matches, names),
            "images": {image.name: image.content for image in features.read(query.name for query in self.queries)},
            "cameras": {query.name: repr(query.camera) for query in self.queries},
            "priors": {query.name: repr(query.prior) for query in self.queries if query.prior is not None},
            "options": asdict(self.options),
            "fix_old": self.fix_old,
            "align": self.align,
        }
        return json.dumps(decides, sort_keys=True)

    def _make(self, folder: Path) -> Growth:
        growing, rounds = GrowingModel(self.place.folder / "sparse" / "0"), 0
        failed: dict[str, str] = {}
        waiting = list(self.queries)
        while waiting:
            rounds += 1
            place = self._map(growing)
            new = self._localised(place, waiting)
            if not new:
                break
            growing.grow(new, self._pairs())
            lost = [name for name, points in growing.added.items() if points < self.options.min_inliers]
            growing.remove(lost)
            failed |= dict.fromkeys(lost, "hardly a point is left of it when poses and points are adjusted")
            waiting = [query for query in waiting if query.name not in {image.name for image in new}]
        failed |= {query.name: _reason(self.outcomes[query.name]) for query in waiting}
        if not growing.added:
            reasons = some([f"{name}: {reason}" for name, reason in failed.items()])
            raise InputError(f"none of {len(self.queries)} images can be added ({reasons}); nothing is written")
        if not self.fix_old:
            growing.refine_all(self._pairs())
        growing.colour(self.collection.images)
        folder.mkdir()
        growing.save(folder / "0")
        write_views(folder / "0", self.collection.out, self.collection.out.resolve().name)
        count = len(self.place.names) + len(growing.added)
        return Growth(count, growing.added, failed, *growing.points, *growing.errors(), rounds)

    def _map(self, growing: GrowingModel) -> Map:
        store = self.collection.extraction().open()
        model, images = growing.map_model(), self.collection.images
        return Map(self.collection.out, model, store, self.place.recipe, images, in_memory=True)

    def _localised(self, place: Map, queries: Sequence[Query]) -> list[NewImage]:
        """Those of the images that have a certain pose."""
        localiser = Localiser(place, self.options, self._matcher)
        found = []
        for number, query in enumerate(queries, start=1):
            photograph = self._photograph(query, place)
            like = None if query.camera is not None else place.cameras.sharing(photograph.size, photograph.focal_35mm)
            known = intrinsics_of(place, photograph, query.camera)
            if like is not None:
                known = [(Intrinsics(place.image(like).camera), "map")]
            outcome = localiser.localise_photograph(photograph, known, query.prior)
            self.outcomes[query.name] = outcome
            if outcome.ok and outcome.camera is not None:
                held = outcome.camera_source == "given"
                places, points = _observed(outcome, self._keypoints(query.name))
                pose = outcome.T_world_to_camera
                found.append(NewImage(query.name, outcome.camera, pose, places, points, held, like))
            self.run.watcher.at("localise", number, len(queries))
        return found

    def _photograph(self, query: Query, place: Map) -> Photograph:
        """From the features that are stored."""
        path = self.collection.images / query.name
        features = place.store.read([query.name])[0].to_features()
        seen = replace(features, image=pixels_of(path, features, place.recipe))
        facts = facts_in(path)
        return Photograph(query.name, seen, facts.orientation, facts.focal_35mm)

    def _keypoints(self, name: str) -> NDArray[np.float32]:
        """Of a new image, exact where they are."""
        if self._exact is not None and not self._exact.missing([name]):
            return self._exact.read([name])[0].keypoints
        return self.collection.extraction().open().read([name])[0].keypoints

    @cached_property
    def _matcher(self) -> Matcher:
        """Built once for all rounds."""
        return self.place.recipe.matcher()

    @cached_property
    def _exact(self) -> KeypointStore | None:
        """Where exact keypoints are; None for none."""
        if not self.align:
            return None
        _, _, names = self.collection.stored()
        return self.collection.aligning(names).open()

    def _pairs(self) -> Iterable[tuple[str, str, NDArray[np.int32]]]:
        """The verified matches of all images."""
        _, matches, names = self.collection.stored()
        return verified_of(matches, pairs_among(matches, names))


def _reason(outcome: Localisation) -> str:
    return f"{outcome.status}: {outcome.message}"


def _observed(outcome: Localisation, keypoints: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Where keypoints of a localised photograph are, and the points that they show.

    Each pair with an image of the map has its own place of a keypoint, aligned to that image's; their mean counts. Of
    several keypoints of a point the one that most images confirm shows it.

    Args:
        outcome: with a pose.
        keypoints: (N, 2) of the photograph, where nothing else is known.

    Returns:
        (N, 2) float32, and (N,) int64 numbers of points, -1 for none.
    """
    rows = np.flatnonzero(outcome.inliers)
    found, which, copies = np.unique(outcome.keypoints[rows], return_inverse=True, return_counts=True)
    places = np.stack([np.bincount(which, outcome.points2D[rows, axis]) for axis in (0, 1)], axis=1) / copies[:, None]
    exact = keypoints.copy()
    exact[found] = places
    shown = np.full(len(keypoints), -1, np.int64)
    numbers = np.empty(len(found), np.int64)
    numbers[which] = outcome.points[rows]
    order = np.argsort(-copies, kind="stable")
    _, first = np.unique(numbers[order], return_index=True)
    chosen = order[first]
    shown[found[chosen]] = numbers[chosen]
    return exact, shown
