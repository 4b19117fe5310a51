"""Homographic adaptation (SuperPoint, section 5): a detector labels photographs by what survives random warps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch.utils.data import Dataset

from cyano.atomic import archive_bytes, write_atomically
from cyano.checkpoints.digest import weights_digest
from cyano.errors import ImageError, InputError
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.superpoint import CELL, SuperPoint
from cyano.pairs.checks import check_count, check_range
from cyano.processing.keypoints import pick_keypoints, refine_summits, suppress_non_maxima
from cyano.reading import read_arrays
from cyano.synthesis.homographies import WarpRange, random_view, warp_view
from cyano.training.data.photographs import Photographs
from cyano.training.run.state import claim_folder
from cyano.training.run.workers import in_workers
from cyano.types import ImageSize

__all__ = ["AdaptationOptions", "label_photographs", "read_labels"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdaptationOptions:
    """How photographs are labelled.

    Attributes:
        warps: random views of each photograph, besides the photograph itself.
        longest: longest side of the views, in pixels; the labels are in pixels of the photograph.
        threshold: least mean probability of a label.
        max_points: the strongest so many are kept.
        nms_radius: least distance of two labels along an axis, in pixels of the view.
    """

    warps: int = 16
    longest: int = 448
    threshold: float = 0.015
    max_points: int = 800
    nms_radius: int = 4

    def __post_init__(self) -> None:
        for name, least in (("warps", 0), ("longest", CELL), ("max_points", 1), ("nms_radius", 0)):
            check_count(name, getattr(self, name), least)
        check_range("threshold", self.threshold, 0, 1)


def label_photographs(
    superpoint: SuperPoint,
    photographs: Photographs,
    options: AdaptationOptions,
    folder: Path,
    seed: int,
    *,
    share: tuple[int, int] = (0, 1),
    workers: int = 0,
    on_photograph: Callable[[int, int], None] | None = None,
) -> None:
    """Label every photograph and write the labels, one file each; what is there already is kept.

    Args:
        superpoint: the detector.
        photographs: what to label.
        options: how.
        folder: where the labels go.
        seed: of the warps; a photograph's warps do not depend on the others.
        share: (r, n) for the photographs r, r + n, r + 2n and so on alone.
        workers: processes that label; 0 does it in this one.
        on_photograph: told the photograph's number and how many labels it got, -1 if it cannot be read.

    Raises:
        OutputError: the folder holds labels of another configuration, or cannot be written.
    """
    claim_folder(folder, {"adaptation": asdict(options), "seed": seed, "detector": weights_digest(superpoint)})
    numbers = range(share[0], len(photographs), share[1])
    missing = [i for i in numbers if not _label_path(folder, photographs, i).exists()]
    work = _Labelling(superpoint.eval(), photographs, options, folder, seed)
    for index, count in in_workers(work, missing, workers):
        if on_photograph is not None:
            on_photograph(index, count)


class _Labelling(Dataset[tuple[int, int]]):
    """Labels photograph after photograph, writes each file, and returns its number and how many labels it has."""

    def __init__(
        self, superpoint: SuperPoint, photographs: Photographs, options: AdaptationOptions, folder: Path, seed: int
    ) -> None:
        self._detector = FastSuperPoint(superpoint)
        self._photographs = photographs
        self._options = options
        self._folder = folder
        self._seed = seed

    def __len__(self) -> int:
        return len(self._photographs)

    def __getitem__(self, index: int) -> tuple[int, int]:
        try:
            image = self._photographs[index]
        except ImageError as error:
            logger.warning("left out: %s", error)
            return index, -1
        labels = adapt(self._detector, image, self._options, np.random.default_rng((self._seed, index)))
        write_atomically(_label_path(self._folder, self._photographs, index), archive_bytes(labels=labels))
        return index, len(labels)


def _label_path(folder: Path, photographs: Photographs, index: int) -> Path:
    return folder / f"{index:06d}_{photographs.paths[index].stem}.npz"


def read_labels(folder: Path, photographs: Photographs, index: int) -> NDArray[np.float32]:
    """(N, 3) float32 (x, y, mean probability) in pixels of the photograph.

    Raises:
        InputError: the photograph is not labelled, or its file is damaged.
    """
    path = _label_path(folder, photographs, index)
    if not path.exists():
        raise InputError(f"{photographs.paths[index]} has no labels in {folder}; label the photographs first")
    remedy = "delete it, and label the photographs again"
    labels = read_arrays(path, ["labels"], remedy=remedy)["labels"]
    if labels.ndim != 2 or labels.shape[1] != 3 or labels.dtype.kind != "f" or not np.isfinite(labels).all():
        raise InputError(f"{path} holds no finite labels (N, 3) but {labels.dtype} {labels.shape}; {remedy}")
    return labels.astype(np.float32, copy=False)


@torch.inference_mode()
def adapt(
    detector: FastSuperPoint, image: NDArray[np.float32], options: AdaptationOptions, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Labels of one photograph: peaks of the mean of its unwarped heat maps, refined within their surroundings.

    Returns:
        (N, 3) float32 (x, y, mean probability) in pixels of `image`.
    """
    source = ImageSize(*image.shape)
    ratio = max(source.longest / options.longest, 1.0)
    size = ImageSize(*(max(CELL, round(side / ratio / CELL) * CELL) for side in image.shape))
    upright = np.diag([size.width / source.width, size.height / source.height, 1.0])
    upright[:2, 2] = (upright[[0, 1], [0, 1]] - 1) / 2
    total = np.zeros((size.height, size.width), dtype=np.float32)
    count = np.zeros_like(total)
    limits = WarpRange(scale=(0.7 * ratio, 1.25 * ratio), rotation=30, any_rotation=0.25, perspective=0.15, shift=0.1)
    for warp in range(options.warps + 1):
        H = upright if warp == 0 else random_view(source, size, _centre(source, rng), rng, limits)
        view = warp_view(image, H, size)
        scores = detector(torch.from_numpy(view.image)[None, None]).scores[0].numpy()
        seen = cv2.erode(view.valid.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0).astype(np.float32)
        back = upright @ np.linalg.inv(H)
        total += cv2.warpPerspective(scores * seen, back, (size.width, size.height), flags=cv2.INTER_LINEAR)
        count += cv2.warpPerspective(seen, back, (size.width, size.height), flags=cv2.INTER_LINEAR)
    # What only few warps showed is not known to survive warps.
    mean = np.where(count >= min(3, options.warps), total / np.maximum(count, 1), 0)
    return _peaks(torch.from_numpy(mean.astype(np.float32)), upright, options)


def _centre(source: ImageSize, rng: np.random.Generator) -> NDArray[np.float64]:
    middle = np.array([(source.width - 1) / 2, (source.height - 1) / 2])
    return middle + rng.uniform(-0.1, 0.1, 2) * (source.width, source.height)


def _peaks(heat: torch.Tensor, upright: NDArray[np.float64], options: AdaptationOptions) -> NDArray[np.float32]:
    peaks = suppress_non_maxima(heat[None], options.nms_radius)[0]
    # The suppression gives second chances, to the slopes of strong peaks too: a label has to be a peak itself.
    peaks = torch.where(heat == F.max_pool2d(heat[None], 3, stride=1, padding=1)[0], peaks, 0)
    keypoints, scores = pick_keypoints(peaks, options.threshold, options.max_points)
    refined = refine_summits(heat, keypoints).numpy()
    x = (refined[:, 0] - upright[0, 2]) / upright[0, 0]
    y = (refined[:, 1] - upright[1, 2]) / upright[1, 1]
    return np.stack([x, y, scores.numpy()], axis=1).astype(np.float32)
