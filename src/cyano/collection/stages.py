"""The stages before the model: features, pairs, matches, exact keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from cyano.collection.folder import Collection
from cyano.collection.run import DEFAULT_RUN, Run
from cyano.engine import Stage, Summary, run_stage
from cyano.engine.plan import ImagePair
from cyano.errors import InputError
from cyano.pairs import PairOptions, Selection, choose_pairs
from cyano.pairs.checks import some
from cyano.pairs.selection import Describe
from cyano.retrieval import VladOptions, describe_collection

__all__ = [
    "DEFAULT_VLAD",
    "EXHAUSTIVE_UP_TO",
    "PairChoice",
    "align_images",
    "extract_images",
    "match_pairs",
    "need_pairs",
    "select_pairs",
    "verify_pairs",
]

EXHAUSTIVE_UP_TO = 100
"""Images, which are 4,950 pairs; beyond that, pairing each with the 20 that look most like it is a fraction of it."""

DEFAULT_VLAD = VladOptions()

K = TypeVar("K", str, ImagePair)
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class PairChoice:
    """The pairs to match.

    Attributes:
        method: by which they were selected, in words.
        pairs: names of two images each.
        notes: one sentence for each thing that was left out.

    Example:
        >>> choice = select_pairs(collection)
        >>> choice.method, choice.pairs[0], len(choice.pairs)
        ('exhaustive, the default for up to 100 images', ('view0.png', 'view1.png'), 15)
    """

    method: str
    pairs: list[tuple[str, str]]
    notes: tuple[str, ...]


def extract_images(collection: Collection, run: Run = DEFAULT_RUN) -> Summary:
    """Features of all images that do not have them yet.

    Raises:
        InputError: an image is another now than when its features were stored. Other errors are those of
            `cyano.engine.run_stage`.

    Example:
        >>> extract_images(Collection(Path("scene"), Path("other"), recipe)).done
        6
        >>> extract_images(collection).kept  # nothing is left to do
        6
    """
    stage, names = collection.extraction(), collection.names()
    changed = stage.changed(names, force=run.force)
    if changed:
        raise InputError(
            f"{len(changed)} images have changed since their features were stored in {collection.out} "
            f"({some(changed)}); restore the images, or give another folder of results (--out)"
        )
    return _run(stage, "extract", names, run)


def match_pairs(collection: Collection, pairs: Sequence[ImagePair], run: Run = DEFAULT_RUN) -> Summary:
    """Matches of all of these pairs that do not have them yet. Errors are those of `cyano.engine.run_stage`.

    Example:
        >>> match_pairs(collection, [("view0.png", "view1.png")]).exit_status  # 0: all is in the store
        0
    """
    return _run(collection.matching(), "match", pairs, run)


def verify_pairs(collection: Collection, run: Run = DEFAULT_RUN) -> Summary:
    """The geometry of all pairs that were matched without it, as `match_pairs` would have estimated it.

    Raises:
        InputError: there are no such pairs. Other errors are those of `cyano.engine.run_stage`.

    Example:
        >>> fast = Collection(Path("scene"), Path("fast"), recipe, verification=None)
        >>> done = extract_images(fast), match_pairs(fast, [("view0.png", "view1.png")])
        >>> verify_pairs(fast).done
        1
    """
    stage = collection.verifying()
    pairs = sorted(stage.matches().keys())
    return _run(stage, "verify", pairs, run)


def align_images(collection: Collection, run: Run = DEFAULT_RUN, names: Sequence[str] | None = None) -> Summary:
    """Exact keypoints of all images that have features, from what is matched so far.

    Args:
        collection: whose.
        run: how.
        names: of the images to align; None for all. What they are laid over follows from all in any case.

    Raises:
        InputError: there are no features yet, or matches are not verified. Other errors are those of
            `cyano.engine.run_stage`.

    Example:
        >>> align_images(collection, names=["view0.png"]).finished
        1
    """
    _, _, stored = collection.stored()
    return _run(collection.aligning(stored), "align", stored if names is None else names, run)


def _run(stage: Stage[K, T], title: str, keys: Sequence[K], run: Run) -> Summary:
    def tell(summary: Summary) -> None:
        run.watcher.at(title, summary.finished, summary.total)

    return run_stage(
        stage, keys, engine=run.engine, share=run.share, force=run.force, retry=run.retry, on_progress=tell
    )


def select_pairs(
    collection: Collection, options: PairOptions | None = None, vlad: VladOptions = DEFAULT_VLAD
) -> PairChoice:
    """The pairs of the images, without those whose features cannot be made.

    Args:
        collection: of the images.
        options: how; None pairs all with all up to 100 images, and beyond that by retrieval.
        vlad: how images are described where the method compares them; features must be there then.

    Raises:
        InputError: fewer than two images can be used; or see `choose_pairs`.

    Example:
        >>> from cyano.pairs import PairOptions
        >>> select_pairs(collection, PairOptions("sequential", window=1)).pairs[:2]
        [('view0.png', 'view1.png'), ('view1.png', 'view2.png')]
    """
    features = collection.extraction().open()
    set_apart = {name: entry.reason for entry in features.quarantine.entries() for name in entry.item}
    names = collection.names()
    broken = set(features.missing(name for name in names if name in set_apart))
    names = [name for name in names if name not in broken]
    if len(names) < 2:
        reasons = "".join(f"; {name}: {set_apart[name]}" for name in sorted(broken)[:3])
        raise InputError(f"{len(names)} images of {collection.images} can be used, and a pair needs two{reasons}")
    method = "as asked for"
    if options is None:
        few = len(names) <= EXHAUSTIVE_UP_TO
        options = PairOptions("exhaustive" if few else "retrieval")
        method = f"the default for {'up to' if few else 'more than'} {EXHAUSTIVE_UP_TO} images"
    describe = partial(
        describe_collection,
        lambda name: features.read([name])[0].descriptors,
        options=vlad,
        features=features.folder.name,
        folder=collection.store / "codebooks",
    )
    found = _chosen(options, names, collection.images, describe)
    pairs = [(pair.name0, pair.name1) for pair in found.pairs]
    return PairChoice(f"{options.method}, {method}", pairs, tuple(found.notes))


def need_pairs(options: PairOptions | None, names: Sequence[str], images: Path | None) -> None:
    """Refuse early what `select_pairs` would refuse after the work: lists and positions that give no pairs.

    Args:
        options: how pairs are selected.
        names: of the images.
        images: their folder; None where the positions in their EXIF are not at hand yet.

    Raises:
        InputError: see `select_pairs`.

    Example:
        >>> from cyano.pairs import PairOptions
        >>> need_pairs(PairOptions("sequential"), collection.names(), collection.images)  # follows from names
    """
    if options is None or options.method not in ("list", "spatial"):
        return
    if options.method == "list" or options.poses is not None or images is not None:
        _chosen(options, names, images)


def _chosen(
    options: PairOptions, names: Sequence[str], images: Path | None, describe: Describe | None = None
) -> Selection:
    """At least one pair.

    Raises:
        InputError: there is none; or see `choose_pairs`.
    """
    found = choose_pairs(options, names, folder=images, describe=describe)
    if not found.pairs:
        reasons = "".join(f"; {note}" for note in found.notes)
        raise InputError(f"{options.method} selects no pair of {len(names)} images{reasons}; select them another way")
    return found
