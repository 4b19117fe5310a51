"""The stage from features to matches, which may be verified by the geometry of the two views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cyano.engine.plan import ImagePair, Unit, plan_pairs
from cyano.engine.recipe import Recipe
from cyano.engine.verification import verified
from cyano.engine.work import MissingFeaturesError, Outcome, Stage, Worker, failed
from cyano.geometry import RobustOptions
from cyano.parallel import in_order
from cyano.result import PairResult
from cyano.store import MatchStore, StoredPair
from cyano.types import Features

__all__ = ["MatchPairs"]


@dataclass(frozen=True, eq=False)
class MatchPairs(Stage[ImagePair, StoredPair]):
    """Matches of pairs of images whose features are stored.

    Attributes:
        recipe: networks and options; the features must be made with the same.
        root: folder of the store.
        verification: estimate the fundamental matrix of each pair and keep it with its inliers, thresholds being in
            pixels of the original images; None does not.

    Example:
        >>> pair = "view0.png", "view1.png"
        >>> done = run_stage(ExtractImages(recipe, Path("scene").absolute(), Path("store")), pair)
        >>> stage = MatchPairs(recipe, Path("store"))  # without a verification
        >>> run_stage(stage, [pair]).done, stage.open().count()
        (1, 1)
    """

    recipe: Recipe
    root: Path
    verification: RobustOptions | None = None

    def open(self, *, force: bool = False) -> MatchStore:
        """See `Stage.open`."""
        return self.recipe.matches(self.root, self.verification, force=force)

    def plan(self, keys: Sequence[ImagePair], config_id: str) -> list[Unit[ImagePair]]:
        """Tiles of pairs; see `plan_pairs`."""
        return plan_pairs(keys, config_id)

    def worker(self) -> PairWorker:
        """See `Stage.worker`."""
        return PairWorker(self)


class PairWorker(Worker[ImagePair, dict[str, Features], StoredPair]):
    """Matches pairs in this process."""

    def __init__(self, stage: MatchPairs) -> None:
        self.store = stage.open()
        self._features = stage.recipe.features(stage.root)
        self._verification = stage.verification
        self._usual = stage.recipe.usual_threshold
        self._matcher = stage.recipe.matcher()
        # On a CPU pairs are matched one by one anyway, and padding a batch of them would be for nothing.
        self._batch = 1 if self._matcher.device.type == "cpu" else stage.recipe.batch_size

    def steps(self, keys: Sequence[ImagePair]) -> list[list[ImagePair]]:
        """A tile is one step: each of its images is read once."""
        return [list(keys)]

    def load(self, step: Sequence[ImagePair]) -> dict[str, Features]:
        """The features of a tile's images, as far as they are there.

        Raises:
            InputError: a shard cannot be read.
        """
        names = list(dict.fromkeys(name for pair in step for name in pair))
        absent = set(self._features.missing(names))
        return {image.name: image.to_features() for image in self._features.read(set(names) - absent)}

    def compute(
        self, step: Sequence[ImagePair], loaded: dict[str, Features]
    ) -> Iterator[Outcome[ImagePair, StoredPair]]:
        """Match."""
        ready = []
        for pair in step:
            absent = [name for name in pair if name not in loaded]
            if absent:
                yield failed(pair, MissingFeaturesError(absent))
            else:
                ready.append(pair)
        batches = [ready[start : start + self._batch] for start in range(0, len(ready), self._batch)]
        for outcomes in in_order(partial(self._matched, loaded), batches, self._matcher.pairs_at_once):
            yield from outcomes

    def _matched(self, loaded: dict[str, Features], pairs: Sequence[ImagePair]) -> list[Outcome[ImagePair, StoredPair]]:
        try:
            results = self._matcher.match_features([(loaded[name0], loaded[name1]) for name0, name1 in pairs])
        except Exception as error:  # noqa: BLE001 - what fails in a batch is tried alone, and costs itself only
            if len(pairs) == 1:
                return [failed(pairs[0], error)]
            return [outcome for pair in pairs for outcome in self._matched(loaded, [pair])]
        return [Outcome(pair, partial(self._stored, pair, result)) for pair, result in zip(pairs, results, strict=True)]

    def _stored(self, pair: ImagePair, result: PairResult) -> StoredPair:
        matches = result.matches if result.doubtful is None else result.matches.joined(result.doubtful)
        stored = StoredPair.of(*pair, matches)
        if self._verification is None:
            return stored
        # As the store has them, so that verifying afterwards finds the same.
        stored = replace(stored, scores=stored.scores.astype(self.store.precision).astype(np.float32))
        keypoints = result.image0.keypoints, result.image1.keypoints
        return verified(stored, *keypoints, self._verification, self._usual)
