"""New images into a map: they are localised and become part of it, while what was in it stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cyano.collection import Run, align_images, extract_images, match_pairs, select_pairs
from cyano.collection.run import DEFAULT_RUN
from cyano.collection.stages import need_pairs
from cyano.engine import SOME_FAILED, Failure, Summary
from cyano.errors import InputError
from cyano.localisation.map import Map
from cyano.localisation.maps.grown_folder import begin_folder, check_new
from cyano.localisation.maps.growth import Growing, Growth
from cyano.localisation.options import LocaliseOptions
from cyano.localisation.queries import Query, find_queries
from cyano.pairs import PairOptions
from cyano.pairs.checks import some

__all__ = ["Addition", "add_images"]

_DEFAULTS = LocaliseOptions()


@dataclass(frozen=True, eq=False)
class Addition:
    """What became of images that were to be added.

    Attributes:
        extraction: of their features.
        matching: of the pairs that they are in.
        alignment: of their keypoints; None where it was left out.
        model: the grown one.
        notes: what the user should know.

    Example:
        >>> done = add_images(Map.open(Path("run"), recipe), Path("new.png"), Path("grown"))
        >>> done.extraction.done, done.model.images, done.exit_status
        (1, 7, 0)
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

    The images are localised, those that fail again in the map with the others. Numbers of old images, cameras and
    points stay, and with `fix_old` poses, cameras and points to the last bit.

    Args:
        place: the map, with the folder of its images.
        images: a photograph, a folder or a list of them, see `find_queries`; or photographs, whose cameras and priors
            count, too.
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

    Example:
        >>> place = Map.open(Path("run"), recipe, images=Path("scene"))
        >>> done = add_images(place, Path("new.png"), Path("grown"))
        >>> list(done.model.added), done.model.failed
        (['new.png'], {})
    """
    if run.share is not None:
        raise InputError("images are added to a map all at once; add them without a share")
    queries = find_queries(images) if isinstance(images, Path) else list(images)
    check_new(place, queries, out)
    need_pairs(pairs, [*place.names, *(query.name for query in queries)], None)
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
    alignment = align_images(collection, run, sorted(new)) if align else None
    growing = Growing(place, collection, usable, options, fix_old=fix_old, align=align, run=run)
    model = growing.derived(force=run.force)
    failed = {failure.item[0]: failure.reason for failure in extraction.failures} | model.failed
    return Addition(extraction, matching, alignment, replace(model, failed=failed), choice.notes)


def _told(failures: Sequence[Failure]) -> str:
    return some([f"{' '.join(failure.item)}: {failure.reason}" for failure in failures])
