"""Detector and descriptors together, on two views of a photograph or a scene (SuperPoint, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cyano.geometry.transforms import warp_points
from cyano.models.superpoint import CELL, SuperPoint
from cyano.processing.descriptors import sample_descriptors
from cyano.synthesis.photometric import photometric_change
from cyano.synthesis.scenes.posed_frames import FramePair
from cyano.training.detector_network import TrainableDetector
from cyano.training.joint_pairs import ShownTruth, cells_shown, corresponding_cells, structure_found_again
from cyano.training.labels import read_labels
from cyano.training.loop import Batch
from cyano.training.losses import cell_targets, detector_loss, info_nce
from cyano.training.photographs import Photographs
from cyano.training.schedule import Schedule
from cyano.training.views import ViewOptions, ViewPair, ViewSource, two_views

__all__ = ["JointOptions", "JointStage"]


@dataclass(frozen=True)
class JointOptions(ViewOptions):
    """What the joint stage sees; see also `ViewOptions`.

    Attributes:
        descriptor_weight: of the descriptors' loss against the detector's.
        detector_weight: of the detector's loss.
        places: at most so many descriptors of each pair are compared, chosen at random; the work grows with the square.
    """

    height: int = 192
    width: int = 256
    scenes: float = 0.0
    any_rotation: float = 0.15
    perspective: float = 0.2
    descriptor_weight: float = 1.0
    detector_weight: float = 1.0
    places: int = 400


class _Shown(NamedTuple):
    """A pair, the corners of each view, and the cells that say anything about the detector."""

    images: Tensor
    truth: ShownTruth
    corners: tuple[NDArray[np.float64], NDArray[np.float64]]
    valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]


class JointStage:
    """A detector from labelled photographs learns to find again what it found, and to describe it."""

    def __init__(
        self,
        name: str,
        superpoint: SuperPoint,
        photographs: Photographs,
        labels: Path | None,
        options: JointOptions,
        schedule: Schedule,
        seed: int,
        posed: Sequence[FramePair] = (),
    ) -> None:
        self.name = name
        self.options = options
        self.schedule = schedule
        self.seed = seed
        self.superpoint = superpoint
        self.module: nn.Module = TrainableDetector(superpoint, descriptors=True)
        self._views = ViewSource(photographs, options, posed)
        self._labels = labels

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        network = asdict(self.superpoint.config)
        views = {"photographs": len(self._views.photographs), "posed": len(self._views.posed)}
        return {"network": network, "options": asdict(self.options), **views}

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """None."""
        return ()

    def batch(self, rng: np.random.Generator) -> Batch:
        """Views (2B, 1, H, W), a pair side by side; targets; C = H W / 64 corresponding points of each pair."""
        parts: dict[str, list[Tensor]] = {}
        for _ in range(self.schedule.batch_size):
            for name, value in self._pair(rng).items():
                parts.setdefault(name, []).append(value)
        return {
            name: torch.cat(values) if name in {"images", "targets", "valid"} else torch.stack(values)
            for name, values in parts.items()
        }

    def _pair(self, rng: np.random.Generator) -> dict[str, Tensor]:
        size = self.options.size
        shown = self._with_structure(rng) if self._labels is None else self._with_labels(self._labels, rng)
        targets = [cell_targets(torch.from_numpy(each), size.height, size.width) for each in shown.corners]
        places = corresponding_cells(shown.truth, size, shown.corners[0], rng, self.options.places)
        points0, points1, used = (torch.from_numpy(each) for each in places)
        return {
            "images": shown.images,
            "targets": torch.stack(targets),
            "valid": torch.from_numpy(np.stack(shown.valid)),
            "points0": points0,
            "points1": points1,
            "used": used,
        }

    def _with_structure(self, rng: np.random.Generator) -> _Shown:
        """A pair whose corners are the structure that both views show."""
        views = self._views.draw(rng)
        images, truth = self._changed(views, rng), ShownTruth(views)
        return _Shown(images, truth, structure_found_again(images, truth), cells_shown(truth, self.options.size))

    def _with_labels(self, folder: Path, rng: np.random.Generator) -> _Shown:
        """A pair whose corners are the photograph's labels."""
        number, (view0, view1) = self._views.photograph_views(rng)
        views = two_views(view0, view1)
        images = self._changed(views, rng)
        labels = read_labels(folder, self._views.photographs, number)[:, :2].astype(np.float64)
        corners = warp_points(view0.H, labels), warp_points(view1.H, labels)
        return _Shown(images, ShownTruth(views), corners, (_whole_cells(view0.valid), _whole_cells(view1.valid)))

    def _changed(self, views: ViewPair, rng: np.random.Generator) -> Tensor:
        """(2, 1, H, W) in another light."""
        changed = [photometric_change(image, rng, self.options.photometric) for image in views.images]
        return torch.from_numpy(np.stack(changed))[:, None]

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Detector and descriptor loss, and the share of nearest neighbours that are right."""
        logits, maps, temperature = module(batch["images"])
        detection = detector_loss(logits, batch["targets"], batch["valid"])
        each = maps.unbind()  # indexing instead would make the whole batch's gradient for every picture
        losses, shares = [], []
        for pair, used in enumerate(batch["used"]):
            points0, points1 = batch["points0"][pair][used], batch["points1"][pair][used]
            rows0 = sample_descriptors(each[2 * pair], points0)
            rows1 = sample_descriptors(each[2 * pair + 1], points1)
            loss, right = info_nce(rows0, rows1, points1, temperature)
            losses.append(loss)
            shares.append(right)
        description = torch.stack(losses).mean()
        total = self.options.detector_weight * detection + self.options.descriptor_weight * description
        figures = {"detector": detection.detach(), "descriptor": description.detach()}
        return total, {**figures, "nearest_right": torch.stack(shares).mean(), "temperature": temperature.detach()}


def _whole_cells(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) -> (H / 8, W / 8), True where the cell and two pixels around it are valid."""
    height, width = valid.shape
    eroded = cv2.erode(valid.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return np.asarray(eroded.reshape(height // CELL, CELL, width // CELL, CELL).all(axis=(1, 3)))
