"""All stages in one call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cyano.collection.folder import Collection
from cyano.collection.outputs import DEFAULT_CAMERAS, DEFAULT_MAPPING, write_database, write_model
from cyano.collection.run import DEFAULT_RUN, Run
from cyano.collection.stages import (
    DEFAULT_VLAD,
    PairChoice,
    align_images,
    extract_images,
    match_pairs,
    need_pairs,
    select_pairs,
)
from cyano.engine import Failure, Summary
from cyano.errors import CyanoError, InputError
from cyano.formats import CameraOptions, DatabaseSummary, MappingOptions, ModelSummary
from cyano.formats.colmap.cameras import need_camera
from cyano.formats.extras import need_pycolmap
from cyano.pairs import PairOptions
from cyano.progress import Watcher
from cyano.retrieval import VladOptions

__all__ = ["Reconstruction", "reconstruct"]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What became of a collection.

    Attributes:
        extraction: of the images.
        choice: of the pairs.
        matching: of these.
        alignment: of the keypoints; None where it was left out.
        database: what it holds.
        model: the largest one, with the verdict.
        seconds: for database and model together; the stages before have their own.
        notes: what the user should know.

    Example:
        >>> done = reconstruct(collection)
        >>> done.model.registered, done.failures, done.exit_status
        (6, (), 0)
    """

    extraction: Summary
    choice: PairChoice
    matching: Summary
    alignment: Summary | None
    database: DatabaseSummary
    model: ModelSummary
    seconds: float
    notes: tuple[str, ...]

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
        """0 if everything was done and the model is sound; 3 if some of it cannot be done, or the model is doubtful."""
        return max(0 if self.model.sound else 3, *(stage.exit_status for stage in self.stages))


def reconstruct(
    collection: Collection,
    pairs: PairOptions | None = None,
    *,
    cameras: CameraOptions = DEFAULT_CAMERAS,
    align: bool = True,
    mapping: MappingOptions = DEFAULT_MAPPING,
    vlad: VladOptions = DEFAULT_VLAD,
    run: Run = DEFAULT_RUN,
) -> Reconstruction:
    """Extract, select pairs, match, align, write the database, map and draw: whatever of it is not done yet.

    Args:
        collection: images, results and recipe.
        pairs: which; see `select_pairs`.
        cameras: what is known of them; see `write_database`.
        align: make keypoints exact before mapping, where pairs are verified.
        mapping: how the database becomes a model; see `sparse_model`.
        vlad: how images are described where they are compared.
        run: how; with all of the work, for a model takes all of it.

    Raises:
        InputError: there are no two images that can be used, or no sound model comes of them.
        OutputError: results are of other options, made by something else, or cannot be written.
        MissingExtraError: a package is not installed.

    Example:
        >>> done = reconstruct(Collection(images=Path("scene"), out=Path("run"), recipe=recipe))
        >>> done.choice.method, done.model.registered
        ('exhaustive, the default for up to 100 images', 6)
        >>> (collection.sparse / "0" / "points3D.bin").exists()
        True
    """
    if run.share is not None:
        raise InputError("a model needs all pairs; extract and match in shares, then reconstruct without a share")
    need_pycolmap()  # better missed now than after hours
    need_camera(cameras, collection.names())
    need_pairs(pairs, collection.names(), collection.images)
    extraction = extract_images(collection, run)
    failures, notes = extraction.failures, tuple(collection.notes())
    try:
        choice = select_pairs(collection, pairs, vlad)
        notes = (*choice.notes, *notes)
        run.watcher.say(f"{len(choice.pairs)} pairs ({choice.method})")
        matching = match_pairs(collection, choice.pairs, run)
        failures += matching.failures
        alignment = align_images(collection, run) if align and collection.verification is not None else None
        failures += () if alignment is None else alignment.failures
        started = time.monotonic()
        run.watcher.at("database", 0, 1)
        database = write_database(collection, cameras, align=align, force=run.force)
        run.watcher.at("database", 1, 1)
        run.watcher.at("model", 0, 1)
        model = write_model(collection, mapping, force=run.force)
        run.watcher.at("model", 1, 1)
    except CyanoError:
        _tell(failures, notes, run.watcher)  # which no summary will list any more
        raise
    seconds = time.monotonic() - started
    notes = (*notes, *_of_guesses(database, cameras), *_of_starts(mapping, model))
    return Reconstruction(extraction, choice, matching, alignment, database, model, seconds, notes)


def _of_guesses(database: DatabaseSummary, cameras: CameraOptions) -> list[str]:
    """What the user should know of focal lengths that nobody told."""
    if not database.guessed_cameras:
        return []
    told = (
        f"the focal length of {database.guessed_cameras} of {database.cameras} cameras is not known and was estimated "
        "from the matches; if you know it, camera parameters make better poses (--camera-model, --camera-params)"
    )
    sharing = ", and so does one camera for images that share it (--cameras)"
    return [told if cameras.sharing == "all" else told + sharing]


def _of_starts(wanted: MappingOptions, model: ModelSummary) -> list[str]:
    """That it took more than one start, or another mapper."""
    if model.starts == 1:
        return []
    return [
        f"mapping was tried {model.starts} times (--starts), since the first try left images out or was doubtful; the "
        f"best model is of the {model.mapper} mapper with seed {model.seed}"
        + ("" if model.mapper == wanted.mapper else f", not of the {wanted.mapper} one")
    ]


def _tell(failures: Sequence[Failure], notes: Sequence[str], watcher: Watcher) -> None:
    """Say what was left out and what cannot be used, and why."""
    for note in notes:
        watcher.say(f"note: {note}")
    for failure in failures:
        watcher.say(f"failed: {' '.join(failure.item)}: {failure.reason}")
