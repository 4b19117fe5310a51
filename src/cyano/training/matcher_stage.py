"""SuperGlue on a frozen detector, from warped photographs and procedural scenes (SuperGlue, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cyano.geometry.truth import HomographyTruth, PairTruth
from cyano.models.assignment_loss import IGNORE, assignment_loss
from cyano.models.superglue import KeypointSet, SuperGlue
from cyano.processing.assignment import mutual_matches
from cyano.processing.resize import ResizeRule
from cyano.synthesis.homographies import WarpRange, random_view, warp_view
from cyano.synthesis.photometric import photometric_change
from cyano.synthesis.scenes import SceneOptions, sample_pair
from cyano.synthesis.scenes.posed_frames import FramePair, load_pair
from cyano.training.features import Extractor
from cyano.training.groundtruth import match_labels
from cyano.training.loop import Batch
from cyano.training.matcher_network import TrainableMatcher, slow_ends
from cyano.training.pair_store import PairStore
from cyano.training.pair_variation import varied
from cyano.training.photographs import Photographs
from cyano.training.schedule import Schedule
from cyano.types import ImageSize

__all__ = ["MatcherStage", "PairOptions"]

DEPTH = 4
"""Layers between two of the assignments that are supervised on the way."""

_SIDES = ("positions", "scores", "descriptors", "extras")

_Views = tuple[NDArray[np.float32], NDArray[np.float32], PairTruth]


@dataclass(frozen=True)
class PairOptions:
    """What the matcher's stage sees.

    Attributes:
        height: of both images, a multiple of 8.
        width: likewise.
        keypoints: in each image.
        scenes: share of the pairs that show a procedural scene.
        posed: share of the pairs that are posed images with depth, where some are given; all other pairs are two views
            of one photograph.
        difficulty: of the scenes, 0 to 1.
        scale: (least, most) photograph pixels per view pixel.
        rotation: degrees to either side.
        any_rotation: share of the views that turn by any angle.
        perspective: largest move of a view's corner as a share of its side.
        photometric: strength of blur, noise and light, 0 to 1.
        positive_px: keypoints that project this near to each other match.
        negative_px: keypoints that nothing projects this near to are unmatched.
        iterations: of the transport in training.
        early_weight: of the mean loss of the assignments after every fourth layer, against that of the last.
        stored: so many pairs are made and kept on disk (0.14 MB each for 256 keypoints of 128 channels) and drawn
            again and again, a little varied, in place of new ones, which saves the making; 0 makes every pair anew.
    """

    height: int = 240
    width: int = 320
    keypoints: int = 256
    scenes: float = 0.5
    posed: float = 0.0
    difficulty: float = 0.7
    scale: tuple[float, float] = (0.7, 1.8)
    rotation: float = 30.0
    any_rotation: float = 0.12
    perspective: float = 0.25
    photometric: float = 1.0
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
        self._photographs = photographs
        self._posed = posed
        self._store = store

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        return {
            "network": asdict(self.superglue.config),
            "detector": self._extract.digest,
            "options": asdict(self.options),
            "photographs": len(self._photographs),
            "posed": len(self._posed),
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
        image0, image1, truth = self._source(rng)(rng)
        images = [photometric_change(image, rng, self.options.photometric) for image in (image0, image1)]
        features = [self._extract(image, rng) for image in images]
        labels = match_labels(
            features[0]["keypoints"].numpy(),
            features[1]["keypoints"].numpy(),
            truth,
            positive_px=self.options.positive_px,
            negative_px=self.options.negative_px,
        )
        sides = {f"{name}{i}": side[name] for i, side in enumerate(features) for name in _SIDES if name in side}
        return {**sides, "matches0": torch.from_numpy(labels[0]), "matches1": torch.from_numpy(labels[1])}

    def _source(self, rng: np.random.Generator) -> Callable[[np.random.Generator], _Views]:
        """Where the next pair comes from."""
        drawn = rng.random()
        if drawn < self.options.scenes:
            return self._scene
        if self._posed and drawn < self.options.scenes + self.options.posed:
            return self._posed_pair
        return self._homography

    def _posed_pair(self, rng: np.random.Generator) -> _Views:
        """Two posed images with depth, in either order."""
        frames = self._posed[int(rng.integers(len(self._posed)))]
        if rng.random() < 0.5:
            frames = FramePair(frames.frame1, frames.frame0, frames.overlap)
        pair = load_pair(frames, ResizeRule.exact(self.options.height, self.options.width))
        return pair.image0, pair.image1, pair.truth

    def _homography(self, rng: np.random.Generator) -> _Views:
        """Two views of one photograph."""
        _, photograph = self._photographs.draw(rng)
        o = self.options
        source, size = ImageSize(*photograph.shape), ImageSize(o.height, o.width)
        centre = rng.uniform((0.3, 0.3), (0.7, 0.7)) * (source.width, source.height)
        limits = WarpRange(o.scale, o.rotation, o.any_rotation, o.perspective, shift=0.25)
        views = [warp_view(photograph, random_view(source, size, centre, rng, limits), size) for _ in range(2)]
        H = views[1].H @ np.linalg.inv(views[0].H)
        # Mirrored borders have no truth: what lies beyond the photograph is grey in both views.
        images = [np.where(view.valid, view.image, np.float32(0.5)) for view in views]
        return images[0], images[1], HomographyTruth(H / H[2, 2], size, size)

    def _scene(self, rng: np.random.Generator) -> _Views:
        """Two cameras in one scene."""
        textures = [self._photographs.draw(rng)[1] for _ in range(12)]
        size = ImageSize(self.options.height, self.options.width)
        pair = sample_pair(textures, rng, SceneOptions(size=size, difficulty=self.options.difficulty))
        return pair.image0, pair.image1, pair.truth

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
