"""Detector and descriptors together, on two views of a photograph or a scene (SuperPoint, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cyano.geometry.transforms import warp_points
from cyano.models.precision import CPU_FLOATS
from cyano.models.superpoint import CELL, SuperPoint
from cyano.pairs.checks import check_count, check_range
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.masks import keep_keypoints
from cyano.training.data.joint_pairs import (
    ShownTruth,
    cells_shown,
    corresponding_cells,
    far_inside,
    structure_found_again,
)
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import NOTHING_REAL, RealViews
from cyano.training.data.teacher import Lesson, Teacher, one_a_cell
from cyano.training.data.views import Origin, ViewOptions, ViewPair, ViewSource
from cyano.training.networks.detector import TrainableDetector
from cyano.training.run.loop import Batch
from cyano.training.run.schedule import Schedule
from cyano.training.stages.labels import read_labels
from cyano.training.stages.losses import cell_targets, detector_loss, info_nce
from cyano.types import ImageSize

__all__ = ["JointOptions", "JointStage"]


@dataclass(frozen=True)
class JointOptions(ViewOptions):
    """What the joint stage sees; see also `ViewOptions`.

    Attributes:
        descriptor_weight: of the descriptors' loss against the detector's.
        detector_weight: of the detector's loss.
        places: at most so many descriptors of each pair are compared, chosen at random; the work grows with the square.
        teacher_weight: of the teacher's descriptors, where there is a teacher.
        taught: at most so many of a view's keypoints take the teacher's descriptors, chosen at random.
        label_share: at most this share of a view's cells has one of the teacher's keypoints, the surest.
    """

    height: int = 192
    width: int = 256
    scenes: float = 0.0
    any_rotation: float = 0.15
    perspective: float = 0.2
    descriptor_weight: float = 1.0
    detector_weight: float = 1.0
    places: int = 400
    teacher_weight: float = 1.0
    taught: int = 256
    label_share: float = 0.22

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("places", self.places, 1)
        check_count("taught", self.taught, 0)
        check_range("label_share", self.label_share, 0, 1)
        for name in ("descriptor_weight", "detector_weight", "teacher_weight"):
            check_range(name, getattr(self, name), 0, float("inf"))


class _Shown(NamedTuple):
    """The corners of each view, and the cells that say anything about the detector."""

    corners: tuple[NDArray[np.float64], NDArray[np.float64]]
    valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]


class JointStage:
    """A detector from labelled photographs learns to find again what it found, and to describe it."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a stage is made of
        self,
        name: str,
        superpoint: SuperPoint,
        photographs: Photographs,
        labels: Path | None,
        options: JointOptions,
        schedule: Schedule,
        seed: int,
        real: RealViews = NOTHING_REAL,
        teacher: Teacher | None = None,
        axes: Tensor | None = None,
        start: str | None = None,
    ) -> None:
        self.name = name
        self.options = options
        self.schedule = schedule
        self.seed = seed
        self.superpoint = superpoint
        self.module: nn.Module = TrainableDetector(superpoint, descriptors=True)
        self._views = ViewSource(photographs, options, real if labels is None else NOTHING_REAL)
        self._labels = labels
        self._teacher = teacher
        self._start = start
        self._axes = torch.zeros(0, superpoint.config.descriptor_decoder_dim, **CPU_FLOATS) if axes is None else axes

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        network = asdict(self.superpoint.config)
        views = {"photographs": len(self._views.photographs), **self._views.real.record()}
        taught = {} if self._teacher is None else {"teacher": self._teacher.digest}
        return {"network": network, "start": self._start, "options": asdict(self.options), **views, **taught}

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
            name: torch.stack(values) if name in {"points0", "points1", "used"} else torch.cat(values)
            for name, values in parts.items()
        }

    def _pair(self, rng: np.random.Generator) -> dict[str, Tensor]:
        size = self.options.size
        views = self._views.draw(rng)
        images = torch.from_numpy(np.stack(self._views.in_other_light(views.images, rng)))[:, None]
        lesson = self._lesson(views)
        truth = ShownTruth(views)
        if lesson is not None:
            shown = self._with_keypoints(views, lesson.keypoints, self.options.label_share)
        elif self._labels is not None and views.origin is not None:
            labels = read_labels(self._labels, self._views.photographs, views.origin.number)[:, :2]
            shown = self._with_keypoints(views, labels.astype(np.float64))
        else:
            shown = _Shown(structure_found_again(images, truth), cells_shown(truth, size))
        targets = [cell_targets(torch.from_numpy(each), size.height, size.width) for each in shown.corners]
        places = corresponding_cells(truth, size, shown.corners[0], rng, self.options.places)
        points0, points1, used = (torch.from_numpy(each) for each in places)
        return {
            "images": images,
            "targets": torch.stack(targets),
            "valid": torch.from_numpy(np.stack(shown.valid)),
            "points0": points0,
            "points1": points1,
            "used": used,
            **self._taught(views, lesson, rng),
        }

    def _lesson(self, views: ViewPair) -> Lesson | None:
        """What the teacher says of the photograph, if there is a teacher and the views show a photograph."""
        if self._teacher is None or views.origin is None:
            return None
        photographs, number = self._views.photographs, views.origin.number
        return self._teacher.lesson(photographs.paths[number], ImageSize(*photographs[number].shape))

    def _with_keypoints(self, views: ViewPair, keypoints: NDArray[np.float64], share: float | None = None) -> _Shown:
        """Keypoints of the photograph in each view, all of them or the surest in a share of the cells."""
        corners = []
        for H, valid in zip(cast("Origin", views.origin).maps, views.valid, strict=True):
            moved = warp_points(H, keypoints)
            if share is not None:
                moved = moved[keep_keypoints(valid, moved)]
                moved = moved[one_a_cell(moved, self.options.size, share)]
            corners.append(moved)
        return _Shown((corners[0], corners[1]), (_whole_cells(views.valid[0]), _whole_cells(views.valid[1])))

    def _taught(self, views: ViewPair, lesson: Lesson | None, rng: np.random.Generator) -> dict[str, Tensor]:
        """For each view (T, 2) places, the (T, D) descriptors they shall have, and (T,) bool, which of them count."""
        if self._teacher is None:
            return {}
        count, axes = self.options.taught, self._axes
        points, targets = (torch.zeros(2, count, size, **CPU_FLOATS) for size in (2, axes.shape[1]))
        counts = torch.zeros(2, count, dtype=torch.bool, device="cpu")
        if lesson is not None:
            for side, H in enumerate(cast("Origin", views.origin).maps):
                moved = warp_points(H, lesson.keypoints)
                seen = np.flatnonzero(far_inside(moved, self.options.size) & keep_keypoints(views.valid[side], moved))
                chosen = rng.permutation(seen)[:count]
                points[side, : len(chosen)] = torch.from_numpy(moved[chosen]).float()
                targets[side, : len(chosen)] = F.normalize(torch.from_numpy(lesson.descriptors[chosen]) @ axes, dim=1)
                counts[side, : len(chosen)] = True
        return {"taught_points": points, "taught": targets, "taught_counts": counts}

    def loss(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Detector and descriptor loss, and the share of nearest neighbours that are right."""
        logits, maps, temperature = module(batch["images"])
        detection = detector_loss(logits, batch["targets"], batch["valid"])
        each = maps.unbind()  # indexing instead would make the whole batch's gradient for every picture
        losses, shares = [], []
        for pair, used in enumerate(_places(batch["used"])):
            points0, points1 = batch["points0"][pair][used], batch["points1"][pair][used]
            rows0 = sample_descriptors(each[2 * pair], points0)
            rows1 = sample_descriptors(each[2 * pair + 1], points1)
            loss, right = info_nce(rows0, rows1, points1, temperature)
            losses.append(loss)
            shares.append(right)
        description = torch.stack(losses).mean()
        total = self.options.detector_weight * detection + self.options.descriptor_weight * description
        figures = {"detector": detection.detach(), "descriptor": description.detach()}
        if self._teacher is not None:
            teaching, cosine = taught_loss(each, batch, temperature)
            total = total + self.options.teacher_weight * teaching
            figures |= {"teacher": teaching.detach(), "cosine": cosine}
        return total, {**figures, "nearest_right": torch.stack(shares).mean(), "temperature": temperature.detach()}


def taught_loss(maps: Sequence[Tensor], batch: Batch, temperature: Tensor) -> tuple[Tensor, Tensor]:
    """How far the student's descriptors are from the teacher's, within each view.

    Args:
        maps: (D, Hc, Wc) of each view.
        batch: has `taught_points` (2B, T, 2), `taught` (2B, T, D) and `taught_counts` (2B, T).
        temperature: cosines are multiplied by this.

    Returns:
        InfoNCE plus twice the mean of one less the cosine, over the views that count; and the mean cosine.
    """
    losses, cosines = [temperature.sum() * 0], [temperature.new_ones(())]
    every = zip(maps, batch["taught_points"], batch["taught"], _places(batch["taught_counts"]), strict=True)
    for descriptors, points, targets, counts in every:
        if len(counts):
            rows, wanted = sample_descriptors(descriptors, points[counts]), targets[counts]
            cosine = (rows.float() * wanted).sum(1).mean()
            losses.append(info_nce(rows, wanted, points[counts], temperature)[0] + 2 * (1 - cosine))
            cosines.append(cosine.detach())
    views = max(len(losses) - 1, 1)
    return torch.stack(losses).sum() / views, torch.stack(cosines[1:] or cosines).mean()


def _places(chosen: Tensor) -> Sequence[Tensor]:
    """(B, N) bool -> for each row (C,) int64, where it is True; a GPU is asked once for all rows."""
    every = torch.nonzero(chosen)[:, 1]
    return torch.split(every, chosen.sum(1).tolist())


def _whole_cells(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) -> (H / 8, W / 8), True where the cell and two pixels around it are valid."""
    height, width = valid.shape
    eroded = cv2.erode(valid.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return np.asarray(eroded.reshape(height // CELL, CELL, width // CELL, CELL).all(axis=(1, 3)))
