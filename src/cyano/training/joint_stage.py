"""Detector and descriptors together, on two warped views of each photograph (SuperPoint, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cyano.geometry.transforms import warp_points
from cyano.models.superpoint import CELL, SuperPoint
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.structure import find_structure
from cyano.synthesis.homographies import View, WarpRange, random_view, warp_view
from cyano.synthesis.photometric import photometric_change
from cyano.training.detector_network import TrainableDetector
from cyano.training.labels import read_labels
from cyano.training.loop import Batch
from cyano.training.losses import cell_targets, detector_loss, info_nce
from cyano.training.photographs import Photographs
from cyano.training.schedule import Schedule
from cyano.types import ImageSize

__all__ = ["JointOptions", "JointStage"]


@dataclass(frozen=True)
class JointOptions:
    """What the joint stage sees.

    Attributes:
        height: of a view, a multiple of 8.
        width: likewise.
        scale: (least, most) photograph pixels per view pixel.
        rotation: degrees to either side.
        any_rotation: share of the views that turn by any angle.
        perspective: largest move of a view's corner as a share of its side.
        photometric: strength of blur, noise and light, 0 to 1.
        descriptor_weight: of the descriptors' loss against the detector's.
        detector_weight: of the detector's loss.
        places: at most so many descriptors of each pair are compared, chosen at random; the work grows with the square.
    """

    height: int = 192
    width: int = 256
    scale: tuple[float, float] = (0.7, 1.8)
    rotation: float = 30.0
    any_rotation: float = 0.15
    perspective: float = 0.2
    photometric: float = 1.0
    descriptor_weight: float = 1.0
    detector_weight: float = 1.0
    places: int = 400

    @property
    def size(self) -> ImageSize:
        """Of a view."""
        return ImageSize(self.height, self.width)

    @property
    def limits(self) -> WarpRange:
        """How far a view lies from the photograph."""
        return WarpRange(self.scale, self.rotation, self.any_rotation, self.perspective)


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
    ) -> None:
        self.name = name
        self.options = options
        self.schedule = schedule
        self.seed = seed
        self.superpoint = superpoint
        self.module: nn.Module = TrainableDetector(superpoint, descriptors=True)
        self._photographs = photographs
        self._labels = labels

    def record(self) -> Mapping[str, Any]:
        """What decides the result."""
        network = asdict(self.superpoint.config)
        return {"network": network, "options": asdict(self.options), "photographs": len(self._photographs)}

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
        index, photograph = self._photographs.draw(rng)
        source = ImageSize(*photograph.shape)
        centre = rng.uniform((0.3, 0.3), (0.7, 0.7)) * (source.width, source.height)
        size, limits = self.options.size, self.options.limits
        views = [warp_view(photograph, random_view(source, size, centre, rng, limits), size) for _ in range(2)]
        images = torch.from_numpy(
            np.stack([photometric_change(view.image, rng, self.options.photometric) for view in views])
        )[:, None]
        if self._labels is None:
            corners, valid = structure_found_again(views, images)
        else:
            labels = read_labels(self._labels, self._photographs, index)[:, :2].astype(np.float64)
            corners, valid = [warp_points(view.H, labels) for view in views], [view.valid for view in views]
        targets = [cell_targets(torch.from_numpy(c), size.height, size.width) for c in corners]
        points0, points1, used = corresponding_cells(views[0], views[1], corners[0], rng, self.options.places)
        return {
            "images": images,
            "targets": torch.stack(targets),
            "valid": torch.from_numpy(np.stack([_whole_cells(each) for each in valid])),
            "points0": torch.from_numpy(points0),
            "points1": torch.from_numpy(points1),
            "used": torch.from_numpy(used),
        }

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


def structure_found_again(
    views: Sequence[View], images: Tensor, apart: float = 1.5
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
    """What two views of one photograph show of the picture's structure, and what is worth finding of it.

    Of all places where a view's own structure has a maximum, those count that the other view has as well, at most
    `apart` pixels off in both. What only one of them shows decides nothing.

    Args:
        views: two.
        images: (2, 1, H, W), the views after their photometric changes.
        apart: pixels.

    Returns:
        For each view, the (N, 2) places that count, row i of both the same one, and (H, W) where the other view
        shows what this one does.
    """
    found = [each.double().numpy() for each in find_structure(images)]
    H = views[1].H @ np.linalg.inv(views[0].H)
    there, back = warp_points(H, found[0]), warp_points(np.linalg.inv(H), found[1])
    rows, columns = _near(there, found[1], ImageSize(*images.shape[2:]))
    both = np.linalg.norm(there[rows] - found[1][columns], axis=1) <= apart
    both &= np.linalg.norm(back[columns] - found[0][rows], axis=1) <= apart
    rows, columns = rows[both], columns[both]
    size = (images.shape[3], images.shape[2])
    shown = [
        cv2.warpPerspective(other.valid.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST).astype(bool)
        for other, matrix in ((views[1], np.linalg.inv(H)), (views[0], H))
    ]
    return [found[0][rows], found[1][columns]], [view.valid & each for view, each in zip(views, shown, strict=True)]


def _near(
    points: NDArray[np.float64], others: NDArray[np.float64], size: ImageSize
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of `points` and of `others` that lie within two pixels of each other, by a map of the others' pixels."""
    margin = 2
    numbers = np.full((size.height + 2 * margin, size.width + 2 * margin), -1)
    x, y = np.rint(others).astype(np.int64).T + margin
    numbers[y, x] = np.arange(len(others))
    inside = np.flatnonzero(((points > -0.5) & (points < (size.width - 0.5, size.height - 0.5))).all(axis=1))
    x, y = np.rint(points[inside]).astype(np.int64).T
    steps = np.arange(2 * margin + 1)
    around = numbers[y[:, None, None] + steps[:, None], x[:, None, None] + steps].reshape(-1, len(steps) ** 2)
    rows, place = np.nonzero(around >= 0)
    return inside[rows], around[rows, place]


def corresponding_cells(
    view0: View, view1: View, corners0: NDArray[np.float64], rng: np.random.Generator, most: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """One place in each cell of view 0, its corner if it has one, and where it lies in view 1.

    Returns:
        (C, 2) float32 places, (C, 2) float32 in view 1, and (C,) bool: at most `most` that lie on the photograph
        in both.
    """
    height, width = view0.image.shape
    rows, columns = height // CELL, width // CELL
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    places = cells * CELL + rng.uniform(-0.5, CELL - 0.5, cells.shape)
    inside = (corners0 > 0).all(axis=1) & (corners0 < (width - 1, height - 1)).all(axis=1)
    corners = corners0[inside]
    cell = np.rint(corners).astype(np.int64) // CELL
    places[(cell[:, 1] * columns + cell[:, 0])[::-1]] = corners[::-1]  # the strongest of a cell comes last and stays
    there = warp_points(view1.H @ np.linalg.inv(view0.H), places)
    used = _on(view0.valid, places) & _on(view1.valid, there)
    used[rng.permutation(np.flatnonzero(used))[most:]] = False
    there[~used] = 0
    return places.astype(np.float32), there.astype(np.float32), used


def _on(valid: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which (N, 2) points lie on valid pixels, at least 4 pixels from the view's edge."""
    height, width = valid.shape
    inside = np.asarray(((points >= 4) & (points <= (width - 5, height - 5))).all(axis=1))
    whole: NDArray[np.int64] = np.rint(np.where(inside[:, None], points, 0)).astype(np.int64)
    return np.asarray(inside & valid[whole[:, 1], whole[:, 0]], dtype=bool)


def _whole_cells(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) -> (H / 8, W / 8), True where the cell and two pixels around it are valid."""
    height, width = valid.shape
    eroded = cv2.erode(valid.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return np.asarray(eroded.reshape(height // CELL, CELL, width // CELL, CELL).all(axis=(1, 3)))
