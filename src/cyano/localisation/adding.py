"""New images into a map: they are localised and become part of it, while what was in it stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.collection import Collection, Run, extract_images, match_pairs, select_pairs, write_views
from cyano.collection.derived import derived, digest_of_content
from cyano.collection.run import DEFAULT_RUN
from cyano.engine import SOME_FAILED, Failure, Summary, digest_of, pairs_among, run_stage
from cyano.errors import InputError
from cyano.exif import facts_in
from cyano.formats.absolute_pose import Intrinsics
from cyano.formats.growing import GrowingModel, NewImage
from cyano.formats.items import pairs_of
from cyano.localisation.cameras import intrinsics_of
from cyano.localisation.grown_folder import begin_folder, check_new
from cyano.localisation.localiser import Localiser
from cyano.localisation.map import Map, pixels_of
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.outcome import Localisation
from cyano.localisation.photographs import Photograph
from cyano.localisation.queries import Query, find_queries
from cyano.pairs import PairOptions
from cyano.pairs.checks import some

__all__ = ["Addition", "Growth", "add_images"]

_DEFAULTS = LocaliseOptions()


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
    """

    images: int
    added: dict[str, int]
    failed: dict[str, str]
    old_points: int
    new_points: int
    mean_reprojection_error: float
    new_reprojection_error: float
    rounds: int


@dataclass(frozen=True, eq=False)
class Addition:
    """What became of images that were to be added.

    Attributes:
        extraction: of their features.
        matching: of the pairs that they are in.
        alignment: of their keypoints; None where it was left out.
        model: the grown one.
        notes: what the user should know.
    """

    extraction: Summary
    matching: Summary
    alignment: Summary | None
    model: Growth
    notes: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[Summary, ...]:
        """Those that go over images and pairs, in their order."""
        return self.extraction, self.matching, *([] if self.alignment is None else [self.alignment])

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Images and pairs that cannot be used, with the reasons."""
        return tuple(failure for stage in self.stages for failure in stage.failures)

    @property
    def exit_status(self) -> int:
        """0 if all images were added, else 3."""
        return max(SOME_FAILED if self.model.failed else 0, *(stage.exit_status for stage in self.stages))


def add_images(
    place: Map,
    images: Path | Iterable[Query],
    out: Path,
    *,
    fix_old: bool = True,
    options: LocaliseOptions = _DEFAULTS,
    pairs: PairOptions | None = None,
    align: bool = True,
    run: Run = DEFAULT_RUN,
) -> Addition:
    """Make a map with further images in it; the old one is only read.

        place = Map.open(Path("model"), Recipe(load()), images=Path("photos"))
        done = add_images(place, Path("more"), Path("grown"))
        print(done.model.added, done.model.failed)

    The images are localised, those that fail again in the map with the others. Numbers of old images, cameras and
    points stay, and with `fix_old` poses, cameras and points to the last bit.

    Args:
        place: the map, with the folder of its images.
        images: a photograph, a folder or a list of them, see `find_queries`; or photographs with their cameras.
        out: folder of the grown map, of the form of `cyano reconstruct`; what is done there is not done again. Its
            folder `images` holds links to all images.
        fix_old: leave old poses, cameras and points; otherwise all are adjusted at the end.
        options: how images are localised.
        pairs: which are matched of those with a new image; see `select_pairs`.
        align: make keypoints of new images exact.
        run: how; with all of the work.

    Raises:
        InputError: no image can be added, or names do not fit.
        OutputError: results are of other options, made by something else, or cannot be written.
    """
    if run.share is not None:
        raise InputError("images are added to a map all at once; add them without a share of the work")
    queries = find_queries(images) if isinstance(images, Path) else list(images)
    check_new(place, queries, out)
    collection = begin_folder(place, queries, out)
    fresh = replace(collection, listed=tuple(query.name for query in queries))
    extraction = extract_images(fresh, run)
    absent = set(fresh.extraction().open().missing(fresh.names()))
    usable = [query for query in queries if query.name not in absent]
    if not usable:
        raise InputError(f"none of the images to add can be used ({_told(extraction.failures)}); check the files")
    collection = replace(collection, listed=(*place.names, *(query.name for query in usable)))
    new = {query.name for query in usable}
    choice = select_pairs(collection, pairs)
    chosen = [pair for pair in choice.pairs if new & set(pair)]
    run.watcher.say(f"{len(chosen)} pairs ({choice.method})")
    matching = match_pairs(collection, chosen, run)
    alignment = run_stage(collection.aligning(collection.names()), sorted(new), engine=run.engine) if align else None
    growing = _Growing(place, collection, usable, options, fix_old=fix_old, align=align, run=run)
    model = growing.derived(force=run.force)
    failed = {failure.item[0]: failure.reason for failure in extraction.failures} | model.failed
    return Addition(extraction, matching, alignment, replace(model, failed=failed), choice.notes)


def _told(failures: Sequence[Failure]) -> str:
    return some([f"{' '.join(failure.item)}: {failure.reason}" for failure in failures])


@dataclass(eq=False)
class _Growing:
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
        """The grown model, made unless it is there already."""
        return derived(self.collection.sparse, self._made_from(), self._make, Growth, force=force)

    def _made_from(self) -> str:
        features, matches, names = self.collection.stored()
        decides = {
            "map": digest_of_content(self.place.folder / "sparse" / "0"),
            "matched": digest_of(features, matches, names),
            "images": {image.name: image.content for image in features.read(query.name for query in self.queries)},
            "cameras": {query.name: repr(query.camera) for query in self.queries},
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
        return Map(self.collection.out, growing.map_model(), store, self.place.recipe, self.collection.images)

    def _localised(self, place: Map, queries: Sequence[Query]) -> list[NewImage]:
        """Those of the images that have a certain pose."""
        localiser = Localiser(place, self.options)
        found = []
        for number, query in enumerate(queries, start=1):
            photograph = self._photograph(query, place)
            like = None if query.camera is not None else place.sharing(photograph.size, photograph.focal_35mm)
            known = intrinsics_of(place, photograph, query.camera)
            if like is not None:
                known = [(Intrinsics(place.image(like).camera), "map")]
            outcome = localiser.localise_photograph(photograph, known)
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
        if self.align:
            exact = self.collection.aligning(self.collection.names()).open()
            if not exact.missing([name]):
                return exact.read([name])[0].keypoints
        return self.collection.extraction().open().read([name])[0].keypoints

    def _pairs(self) -> Iterable[tuple[str, str, NDArray[np.int32]]]:
        """The verified matches of all images."""
        _, matches, names = self.collection.stored()
        for pair in pairs_of(matches, pairs_among(matches, names)):
            rows = pair.indices if pair.geometry is None else pair.indices[pair.geometry.inliers]
            yield pair.name0, pair.name1, rows


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
