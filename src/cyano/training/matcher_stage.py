"""SuperGlue on a frozen detector, from warped photographs and procedural scenes (SuperGlue, section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cyano.models.assignment_loss import IGNORE, assignment_loss
from cyano.models.superglue import KeypointSet, SuperGlue
from cyano.processing.assignment import mutual_matches
from cyano.synthesis.photometric import photometric_change
from cyano.synthesis.scenes.posed_frames import FramePair
from cyano.training.features import Extractor
from cyano.training.groundtruth import match_labels
from cyano.training.loop import Batch
from cyano.training.matcher_network import TrainableMatcher, slow_ends
from cyano.training.pair_store import PairStore
from cyano.training.pair_variation import varied
from cyano.training.photographs import Photographs
from cyano.training.schedule import Schedule
from cyano.training.views import ViewOptions, ViewSource

__all__ = ["MatcherStage", "PairOptions"]

DEPTH = 4
"""Layers between two of the assignments that are supervised on the way."""

_SIDES = ("positions", "scores", "descriptors", "extras")


@dataclass(frozen=True)
class PairOptions(ViewOptions):
    """What the matcher's stage sees; see also `ViewOptions`.

    Attributes:
        keypoints: in each image.
        positive_px: keypoints that project this near to each other match.
        negative_px: keypoints that nothing projects this near to are unmatched.
        iterations: of the transport in training.
        early_weight: of the mean loss of the assignments after every fourth layer, against that of the last.
        stored: so many pairs are made and kept on disk (0.14 MB each for 256 keypoints of 128 channels) and drawn
            again and again, a little varied, in place of new ones, which saves the making; 0 makes every pair anew.
    """

    keypoints: int = 256
    positive_px: float = 3.0
    negative_px: float = 5.0
    iterations: int = 20
    early_weight: float = 0.3
    stored: int = 0


class MatcherStage:
    """A matcher learns which keypoints of two images belong together and which have no partner."""

    name = "matcher"

    def __init__(
        self,
        superglue: SuperGlue,
        extractor: Extractor,
        photographs: Photographs,
        options: PairOptions,
        schedule: Schedule,
        seed: int,
        posed: Sequence[FramePair] = (),
        store: PairStore | None = None,
    ) -> None:
        self.options = options
        self.schedule = schedule
        self.seed = seed
        self.superglue = superglue
        depths = range(DEPTH, len(superglue.gnn.layers), DEPTH) if options.early_weight > 0 else ()
        self.module: nn.Module = TrainableMatcher(superglue, options.iterations, depths)
        self._extract = extractor
        self._views = ViewSource(photographs, options, posed, shift=0.25)
        self._store = store

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        return {
            "network": asdict(self.superglue.config),
            "detector": self._extract.digest,
            "options": asdict(self.options),
            "photographs": len(self._views.photographs),
            "posed": len(self._views.posed),
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
        parts: dict[str, list[Tensor]] = {}
        for _ in range(self.schedule.batch_size):
            for name, value in self._drawn(rng).items():
                parts.setdefault(name, []).append(value)
        return {name: torch.stack(values) for name, values in parts.items()}

    def _drawn(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """A new pair, or any of those in the store."""
        if self._store is None:
            return self._pair(rng)
        number = int(rng.integers(self._store.count))
        pair = self._store.pair(number, lambda: self._pair(np.random.default_rng((self.seed, number))))
        return varied(pair, rng)

    def _pair(self, rng: np.random.Generator) -> dict[str, Tensor]:
        views = self._views.draw(rng)
        # Mirrored borders have no truth: what lies beyond the photograph is grey in both views.
        images = [np.where(*each, np.float32(0.5)) for each in zip(views.valid, views.images, strict=True)]
        images = [photometric_change(image, rng, self.options.photometric) for image in images]
        features = [self._extract(image, rng) for image in images]
        labels = match_labels(
            features[0]["keypoints"].numpy(),
            features[1]["keypoints"].numpy(),
            views.truth,
            positive_px=self.options.positive_px,
            negative_px=self.options.negative_px,
        )
        sides = {f"{name}{i}": side[name] for i, side in enumerate(features) for name in _SIDES if name in side}
        return {**sides, "matches0": torch.from_numpy(labels[0]), "matches1": torch.from_numpy(labels[1])}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The assignment's negative log-likelihood, with precision and recall of the mutual matches at 0.2."""
        matches0, matches1 = batch["matches0"], batch["matches1"]
        assignments = module(_keypoint_set(batch, 0), _keypoint_set(batch, 1))
        last, *early = [assignment_loss(each, matches0, matches1) for each in assignments]
        figures = {"last": last.detach(), **match_figures(assignments[0].detach(), matches0)}
        if early:
            mean = torch.stack(early).mean()
            return last + self.options.early_weight * mean, {**figures, "early": mean.detach()}
        return last, figures


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
