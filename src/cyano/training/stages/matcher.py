"""SuperGlue on a frozen detector, from warped photographs and procedural scenes (SuperGlue, section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cyano.errors import InputError
from cyano.geometry.truth import PairTruth
from cyano.models.assignment_loss import IGNORE, UNMATCHED, assignment_loss
from cyano.models.superglue import KeypointSet, SuperGlue
from cyano.pairs.checks import check_count, check_range
from cyano.processing.assignment import mutual_matches
from cyano.training.data.features import Extractor, ImageFeatures
from cyano.training.data.groundtruth import match_labels
from cyano.training.data.pair_store import PairStore
from cyano.training.data.pair_variation import varied
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import NOTHING_REAL, RealViews
from cyano.training.data.views import ViewOptions, ViewSource
from cyano.training.networks.matcher import TrainableMatcher, slow_ends
from cyano.training.run.loop import Batch
from cyano.training.run.schedule import Schedule

__all__ = ["MatcherStage", "PairOptions"]

_SIDES = ("positions", "scores", "descriptors", "extras")
_SHOWN = "shown"
"""What both sides of a pair show, as a number."""


@dataclass(frozen=True)
class PairOptions(ViewOptions):
    """What the matcher's stage sees; see also `ViewOptions`.

    Attributes:
        keypoints: in each image.
        positive_px: keypoints that project this near to each other match.
        negative_px: keypoints that nothing projects this near to are unmatched.
        iterations: of the transport in training.
        early_weight: of the mean loss of the assignments on the way, against that of the last.
        early_every: layers from one of them to the next. Early ones make training faster, and let what uses the
            network stop there: see `MatcherOptions.layers`.
        stored: so many pairs are made and kept on disk (0.14 MB each for 256 keypoints of 128 channels) and drawn
            again and again, a little varied, in place of new ones, which saves the making; 0 makes every pair anew.
        views: of one photograph or scene, of which every two are a pair: three make three pairs for half as much again
            as the work of one. Pairs that are stored are made of two.
        unrelated: share of the pairs whose sides are of different photographs, scenes or places, and have no match. A
            pair stays as it is where the batch has nothing else, and if it was stored before pairs said what they show.
        balanced: whether matches and unmatched keypoints have the same weight in each pair; see `assignment_loss`.
    """

    keypoints: int = 256
    positive_px: float = 3.0
    negative_px: float = 5.0
    iterations: int = 20
    early_weight: float = 0.3
    early_every: int = 4
    stored: int = 0
    views: int = 2
    unrelated: float = field(default=0.0, metadata={"was": "strangers"})
    balanced: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("keypoints", 1), ("iterations", 0), ("stored", 0), ("early_every", 1)):
            check_count(name, getattr(self, name), least)
        for name in ("positive_px", "negative_px", "early_weight"):
            check_range(name, getattr(self, name), 0, float("inf"))
        check_range("unrelated", self.unrelated, 0, 1)
        if self.views < 2 or (self.stored and self.views > 2):
            raise InputError("views is at least 2, and 2 for pairs that are stored")


class MatcherStage:
    """A matcher learns which keypoints of two images belong together and which have no partner."""

    name = "matcher"

    def __init__(  # noqa: PLR0913, PLR0917 - what a stage is made of
        self,
        superglue: SuperGlue,
        extractor: Extractor,
        photographs: Photographs,
        options: PairOptions,
        schedule: Schedule,
        seed: int,
        real: RealViews = NOTHING_REAL,
        store: PairStore | None = None,
        start: str | None = None,
    ) -> None:
        self.options = options
        self.schedule = schedule
        self.seed = seed
        self.superglue = superglue
        every, layers = options.early_every, len(superglue.gnn.layers)
        depths = range(every, layers, every) if options.early_weight > 0 else ()
        self.module: nn.Module = TrainableMatcher(superglue, options.iterations, depths)
        self._extract = extractor
        self._views = ViewSource(photographs, options, real, shift=0.25)
        self._store = store
        self._start = start

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        return {
            "network": asdict(self.superglue.config),
            "start": self._start,
            "detector": self._extract.digest,
            "options": asdict(self.options),
            "photographs": len(self._views.photographs),
            **self._views.real.record(),
        }

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """The ends of the residual branches, and the projection of the descriptors if there is one.

        Their inputs are never negative (RootSIFT, the projection's, is not either), so the steps of a whole row of
        Adam's add up: at the common rate a single one moves all states, which have unit length, by a good part of it,
        and all in the same direction.
        """
        return slow_ends(self.superglue)

    def batch(self, rng: np.random.Generator) -> Batch:
        """Features of both sides, B pairs, and their true matches."""
        pairs: list[dict[str, Tensor]] = []
        while len(pairs) < self.schedule.batch_size:
            pairs += self._drawn(rng)
        del pairs[self.schedule.batch_size :]
        unrelated = np.flatnonzero(rng.random(len(pairs)) < self.options.unrelated)
        if len(unrelated):
            pairs = _with_unrelated(pairs, unrelated.tolist(), self._others(pairs, rng))
        return {name: torch.stack([pair[name] for pair in pairs]) for name in pairs[0] if name != _SHOWN}

    def _others(self, pairs: Sequence[dict[str, Tensor]], rng: np.random.Generator) -> Sequence[dict[str, Tensor]]:
        """The batch from its second half on, or new pairs where all of it are of one group."""
        half, group = len(pairs) // 2, self.options.views * (self.options.views - 1) // 2
        return [*pairs[half:], *pairs[:half]] if half >= group else self._drawn(rng)

    def _drawn(self, rng: np.random.Generator) -> list[dict[str, Tensor]]:
        """New pairs, or any of those in the store; what is seen more than once is varied."""
        if self._store is None:
            pairs = self._made(rng)
            return [varied(pair, rng) for pair in pairs] if self.options.views > 2 else pairs
        number = int(rng.integers(self._store.count))
        pair = self._store.pair(number, lambda: self._made(np.random.default_rng((self.seed, number)))[0])
        return [varied(pair, rng)]

    def _made(self, rng: np.random.Generator) -> list[dict[str, Tensor]]:
        """The pairs of a new group of views."""
        group = self._views.draw_group(rng, self.options.views)
        # Mirrored borders have no truth: what lies beyond the photograph is grey in all views.
        images = [np.where(*each, np.float32(0.5)) for each in zip(group.valid, group.images, strict=True)]
        features = [self._extract(image, rng) for image in self._views.in_other_light(images, rng)]
        shown = int.from_bytes(hashlib.sha256(group.shown.encode()).digest()[:7])
        pairs = [self._pair(features[i], features[j], truth) for (i, j), truth in group.truths.items()]
        return [{**pair, _SHOWN: torch.tensor(shown, dtype=torch.int64, device="cpu")} for pair in pairs]

    def _pair(self, features0: ImageFeatures, features1: ImageFeatures, truth: PairTruth) -> dict[str, Tensor]:
        labels = match_labels(
            features0["keypoints"].numpy(),
            features1["keypoints"].numpy(),
            truth,
            positive_px=self.options.positive_px,
            negative_px=self.options.negative_px,
        )
        sides = enumerate((features0, features1))
        pair = {f"{name}{i}": side[name] for i, side in sides for name in _SIDES if name in side}
        return {**pair, "matches0": torch.from_numpy(labels[0]), "matches1": torch.from_numpy(labels[1])}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The assignment's negative log-likelihood, with precision and recall of the mutual matches at 0.2."""
        matches0, matches1 = batch["matches0"], batch["matches1"]
        assignments = module(_keypoint_set(batch, 0), _keypoint_set(batch, 1))
        balanced = self.options.balanced
        last, *early = [assignment_loss(each, matches0, matches1, balanced=balanced) for each in assignments]
        figures = {"last": last.detach(), **match_figures(assignments[0].detach(), matches0)}
        if early:
            mean = torch.stack(early).mean()
            return last + self.options.early_weight * mean, {**figures, "early": mean.detach()}
        return last, figures


def _with_unrelated(
    pairs: Sequence[dict[str, Tensor]], unrelated: Sequence[int], others: Sequence[dict[str, Tensor]]
) -> list[dict[str, Tensor]]:
    """The `unrelated` pairs with the second side of the next of `others` that shows another thing, and no match."""
    result = list(pairs)
    for number in unrelated:
        own, start = pairs[number], number % len(others)
        other = next((each for each in (*others[start:], *others[:start]) if _show_different(own, each)), None)
        if other is not None:
            pair = {name: (other if name.endswith("1") else own)[name] for name in own}
            labels = {name: torch.full_like(pair[name], UNMATCHED) for name in ("matches0", "matches1")}
            result[number] = {**pair, **labels}
    return result


def _show_different(pair: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two pairs surely show different things."""
    return _SHOWN in pair and _SHOWN in other and not torch.equal(pair[_SHOWN], other[_SHOWN])


def _keypoint_set(batch: Batch, side: int) -> KeypointSet:
    """The features of one side; only some kinds of features have extras."""
    return KeypointSet(**{name: batch[f"{name}{side}"] for name in _SIDES if f"{name}{side}" in batch})


def match_figures(log_assignment: Tensor, matches0: Tensor, threshold: float = 0.2) -> dict[str, Tensor]:
    """Precision and recall of mutual matches; matches of ignored keypoints do not count."""
    found = mutual_matches(log_assignment, threshold).matches0
    counted = (found >= 0) & (matches0 != IGNORE)
    right = (counted & (found == matches0)).sum()
    return {
        "precision": right / counted.sum().clamp(min=1),
        "recall": right / (matches0 >= 0).sum().clamp(min=1),
    }
