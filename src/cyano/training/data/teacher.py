"""Another network's keypoints and descriptors of the training photographs, for a detector to learn from.

They come from hloc's `features.h5`, which hloc writes for each of its extractors, and scripts/aliked_features.py for
ALIKED. The teacher sees the photograph as it is; the student sees it from elsewhere and in another light, and shall
find and describe the same points (knowledge distillation: Hinton et al., arXiv:1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cyano.errors import InputError
from cyano.formats.hloc.features import file_digest
from cyano.formats.hloc.hdf5 import open_checked
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.precision import CPU_FLOATS
from cyano.models.superpoint import CELL, SuperPoint
from cyano.processing.descriptors import sample_descriptors
from cyano.training.data.photographs import Photographs
from cyano.types import ImageSize, ResizeMap

__all__ = ["Lesson", "Teacher", "one_a_cell", "student_axes", "teacher_axes"]

AXES_FROM = 250
"""Photographs that the axes of the student's descriptors are found on."""


class Lesson(NamedTuple):
    """What the teacher says of one photograph, the surest keypoint first.

    Attributes:
        keypoints: (N, 2) float64 (x, y), pixels of the photograph as `Photographs` gives it.
        scores: (N,) float32.
        descriptors: (N, D) float32, unit rows in the teacher's own axes.
    """

    keypoints: NDArray[np.float64]
    scores: NDArray[np.float32]
    descriptors: NDArray[np.float32]


@dataclass(frozen=True)
class Teacher:
    """hloc's file of features for photographs below one folder; it travels to other processes by pickle.

    Attributes:
        path: of the file.
        folder: images are named by their path below it.
        digest: of the file's content.
        names: of the images in it.
    """

    path: Path
    folder: Path
    digest: str
    names: frozenset[str]

    @classmethod
    def open(cls, path: Path, folder: Path) -> Teacher:
        """Look what a file has.

        Raises:
            InputError: it is no file of hloc's, or has no features.
            MissingExtraError: h5py is not installed.
        """
        with open_checked(path) as file:
            names = frozenset(group.name for group in file.groups() if "keypoints" in group.datasets)
        if not names:
            raise InputError(f"{path} holds no keypoints; give hloc's file of local features")
        return cls(path, folder, file_digest(path), names)

    def taught(self, paths: Sequence[Path]) -> list[Path]:
        """Those of some photographs that the file has.

        Raises:
            InputError: it has none of them.
        """
        known = [path for path in paths if self._name(path) in self.names]
        if not known:
            raise InputError(
                f"{self.path} has features of none of the photographs; its images are named by their paths below "
                f"{self.folder}, such as {sorted(self.names)[0]!r}"
            )
        return known

    def lesson(self, path: Path, size: ImageSize) -> Lesson:
        """What it says of a photograph.

        Args:
            path: of the photograph, one of `taught`.
            size: of the photograph as it is used, to which keypoints are scaled.

        Raises:
            InputError: the file is damaged.
        """
        with open_checked(self.path) as file:
            group = file.group(self._name(path))
            keypoints = group.array("keypoints", "f", (None, 2)).astype(np.float64)
            scores = group.array("scores", "f", (len(keypoints),)).astype(np.float32)
            descriptors = group.array("descriptors", "f", (None, len(keypoints))).T.astype(np.float32)
            width, height = group.array("image_size", "iuf", (2,)).tolist()
        order = np.argsort(-scores, kind="stable")
        frame = ResizeMap(ImageSize(int(height), int(width)), size)
        lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
        return Lesson(frame.to_network(keypoints[order]), scores[order], (descriptors / lengths.clip(1e-9))[order])

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def student_axes(teacher: Teacher, photographs: Photographs, superpoint: SuperPoint) -> Tensor:
    """The turn that takes the teacher's descriptors to a student's axes, so that what reads the student's still can.

    First the teacher's principal axes, as many as the student uses; then the orthogonal matrix that brings these
    nearest to what the student says of the same points (Schoenemann, A generalized solution of the orthogonal
    Procrustes problem, 1966).

    Args:
        teacher: see there.
        photographs: all of them taught.
        superpoint: the student.

    Returns:
        (D_teacher, D_student) float32. A student's empty channels stay empty.
    """
    student = FastSuperPoint(superpoint)
    taught, own = [], []
    for index in _sample(photographs):
        picture = photographs[index]
        lesson = teacher.lesson(photographs.paths[index], ImageSize(*picture.shape))
        dense = student(torch.from_numpy(picture)[None, None])
        own.append(sample_descriptors(dense.descriptors[0], torch.from_numpy(lesson.keypoints).float()).double())
        taught.append(torch.from_numpy(lesson.descriptors).double())
    targets, sources = torch.cat(own), torch.cat(taught)
    used = targets.abs().amax(0) > 0
    rank = min(int(used.sum()), sources.shape[1])
    principal = torch.linalg.eigh(sources.T @ sources).eigenvectors.flip(1)[:, :rank]
    left, _, right = torch.linalg.svd((sources @ principal).T @ targets[:, used], full_matrices=False)
    axes = sources.new_zeros(sources.shape[1], targets.shape[1])
    axes[:, used] = principal @ left @ right
    return axes.float()


def teacher_axes(teacher: Teacher, photographs: Photographs, superpoint: SuperPoint) -> Tensor:
    """The axes of a student that knows nothing yet: the teacher's own, so that a matcher of the teacher's reads it.

    Where the teacher has more channels than the student they are its principal axes. A channel that the teacher never
    uses is emptied in the student, in place, and stays empty: nothing that is trained has a slope along it.

    Args:
        teacher: see there.
        photographs: all of them taught.
        superpoint: the student; its last layer of descriptors may change.

    Returns:
        (D_teacher, D_student) float32.
    """
    moments = _moments(teacher, photographs)
    size, wanted = len(moments), superpoint.config.descriptor_decoder_dim
    axes = torch.eye(size, **CPU_FLOATS)
    if size > wanted:
        axes = torch.linalg.eigh(moments).eigenvectors.flip(1)[:, :wanted].float()
    axes = F.pad(axes, (0, wanted - axes.shape[1]))
    unused = (axes.double().T @ moments @ axes.double()).diagonal() == 0
    last = superpoint.descriptor_decoder.conv_descriptor_b
    with torch.no_grad():
        for tensor in (last.weight, last.bias):
            if tensor is not None:
                tensor[unused] = 0
    return axes


def _moments(teacher: Teacher, photographs: Photographs) -> Tensor:
    """(D, D) float64, second moments of the teacher's descriptors."""
    lessons = [
        teacher.lesson(photographs.paths[index], ImageSize(*photographs[index].shape)) for index in _sample(photographs)
    ]
    taught = torch.cat([torch.from_numpy(lesson.descriptors).double() for lesson in lessons])
    return taught.T @ taught


def _sample(photographs: Photographs) -> list[int]:
    """The photographs that axes are found on, evenly spread."""
    count = min(AXES_FROM, len(photographs))
    return [int(index) for index in np.linspace(0, len(photographs) - 1, count)]


def one_a_cell(keypoints: NDArray[np.float64], size: ImageSize, share: float) -> NDArray[np.int64]:
    """Which keypoints to ask of a view: the first in each 8x8 cell, in at most a share of the cells.

    Args:
        keypoints: (N, 2) (x, y) in the view or outside of it, the surest first.
        size: of the view.
        share: of all its cells.

    Returns:
        (K,) int64 row numbers, rising.
    """
    inside = np.flatnonzero(((keypoints > -0.5) & (keypoints < (size.width - 0.5, size.height - 0.5))).all(axis=1))
    cells = np.rint(keypoints[inside]).astype(np.int64) // CELL
    _, first = np.unique(cells[:, 1] * (size.width // CELL) + cells[:, 0], return_index=True)
    most = round(share * (size.height // CELL) * (size.width // CELL))
    return np.sort(inside[first])[:most]
