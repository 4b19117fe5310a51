"""The stage from matches to matches that the geometry of their two views has verified, without the networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyano.engine.plan import ImagePair, Unit, plan_pairs
from cyano.engine.recipe import Recipe
from cyano.engine.work import Outcome, Stage, Worker
from cyano.errors import InputError
from cyano.geometry import RobustOptions, estimate_fundamental
from cyano.store import MatchStore, StoredImage, StoredPair, TwoViewGeometry

__all__ = ["VerifyPairs", "verified"]


def verified(
    pair: StoredPair,
    keypoints0: NDArray[np.floating],
    keypoints1: NDArray[np.floating],
    options: RobustOptions,
    usual: float,
) -> StoredPair:
    """A pair with the fundamental matrix of its matches, if they have one, and of doubtful ones those that agree.

    Args:
        pair: its matches, doubtful ones among them.
        keypoints0: (N, 2) of image 0, in pixels of the original.
        keypoints1: of image 1.
        options: of the estimation, likewise.
        usual: probability up to which a match is doubtful.
    """
    rows0, rows1 = pair.indices.T
    doubtful = pair.scores <= usual
    estimate = estimate_fundamental(keypoints0[rows0], keypoints1[rows1], options, doubtful)
    kept = ~doubtful | estimate.inliers
    pair = replace(pair, indices=pair.indices[kept], scores=pair.scores[kept])
    if not estimate.has_model:  # of doubtful ones the mapper asks for more inliers than chance gives
        return pair
    return replace(pair, geometry=TwoViewGeometry("fundamental", estimate.matrix, estimate.inliers[kept]))


@dataclass(frozen=True, eq=False)
class VerifyPairs(Stage[ImagePair, StoredPair]):
    """What `MatchPairs` with a verification stores, from what it stores without one.

    Attributes:
        recipe: networks and options that features and matches were made with.
        root: folder of the store.
        verification: see `MatchPairs`.

    Example:
        >>> from cyano.geometry import RobustOptions
        >>> pair = "view0.png", "view1.png"
        >>> done = run_stage(ExtractImages(recipe, Path("scene").absolute(), Path("store")), pair)
        >>> done = run_stage(MatchPairs(recipe, Path("store")), [pair])
        >>> stage = VerifyPairs(recipe, Path("store"), RobustOptions(threshold_px=4.0))
        >>> run_stage(stage, stage.matches().keys()).done
        1
    """

    recipe: Recipe
    root: Path
    verification: RobustOptions

    def open(self, *, force: bool = False) -> MatchStore:
        """See `Stage.open`; matches that are not verified yet are there, and are not results of other options."""
        self.matches()
        return self.recipe.matches(self.root, self.verification, force=True)

    def matches(self) -> MatchStore:
        """The store of the matches that are not verified.

        Raises:
            InputError: there is none of these options.
        """
        if not self.recipe.has_matches(self.root, None):
            raise InputError(
                f"{self.root} has no unverified matches of these options; first run, with the same "
                "options, `cyano match-all --no-verify`"
            )
        return self.recipe.matches(self.root, None)

    def plan(self, keys: Sequence[ImagePair], config_id: str) -> list[Unit[ImagePair]]:
        """Tiles of pairs; see `plan_pairs`."""
        return plan_pairs(keys, config_id)

    def worker(self) -> VerifyWorker:
        """See `Stage.worker`."""
        return VerifyWorker(self)


class _Loaded(NamedTuple):
    """What a tile needs: its matches, and the keypoints of its images by name."""

    pairs: list[StoredPair]
    images: dict[str, StoredImage]


class VerifyWorker(Worker[ImagePair, _Loaded, StoredPair]):
    """Verifies pairs in this process."""

    def __init__(self, stage: VerifyPairs) -> None:
        self.store = stage.open()
        self._matches = stage.matches()
        self._features = stage.recipe.features(stage.root)
        self._verification = stage.verification
        self._usual = stage.recipe.usual_threshold

    def steps(self, keys: Sequence[ImagePair]) -> list[list[ImagePair]]:
        """A tile is one step: each of its images is read once."""
        return [list(keys)]

    def load(self, step: Sequence[ImagePair]) -> _Loaded:
        """Matches and features of a tile; both are there, or there would be no match.

        Raises:
            InputError: some are not there any more, or a shard cannot be read.
        """
        names = dict.fromkeys(name for pair in step for name in pair)
        return _Loaded(self._matches.read(step), {image.name: image for image in self._features.read(names)})

    def compute(self, step: Sequence[ImagePair], loaded: _Loaded) -> Iterator[Outcome[ImagePair, StoredPair]]:
        """Estimate, behind the place where other stages have a network."""
        for key, pair in zip(step, loaded.pairs, strict=True):
            keypoints0, keypoints1 = (loaded.images[name].keypoints for name in key)
            yield Outcome(key, partial(verified, pair, keypoints0, keypoints1, self._verification, self._usual))
