"""The files that match_pairs writes for each pair: the original program's keys, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyano.atomic import archive_bytes, write_atomically
from cyano.errors import InputError
from cyano.evaluation.metrics import PairEvaluation
from cyano.evaluation.provenance import Record
from cyano.reading import read_arrays
from cyano.result import PairResult

__all__ = [
    "StoredMatches",
    "evaluation_path",
    "fingerprint",
    "matches_path",
    "read_evaluation",
    "read_matches",
    "write_evaluation",
    "write_matches",
]


@dataclass(frozen=True)
class StoredMatches:
    """What a report needs of a pair's matches: how many keypoints and matches there are."""

    num_keypoints0: int
    num_keypoints1: int
    num_matches: int


def matches_path(folder: Path, stem: str) -> Path:
    """Where a pair's matches are."""
    return folder / f"{stem}_matches.npz"


def evaluation_path(folder: Path, stem: str) -> Path:
    """Where a pair's evaluation is."""
    return folder / f"{stem}_evaluation.npz"


def fingerprint(*parts: object) -> str:
    """SHA-256 of plain values: what a file was made from, to recognise it again."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def write_matches(path: Path, result: PairResult, origin: str) -> None:
    """Write `{stem0}_{stem1}_matches.npz`.

    Keys: `keypoints0` (M, 2), `keypoints1` (N, 2) float32 (x, y) in pixels of the image that the networks saw,
    turned and resized; `matches` (M,) int64, -1 for none; `match_confidence` (M,) float32. Beyond the original
    program: `keypoints0_original`, `keypoints1_original` float32 in pixels of the image files; `turns0`,
    `turns1` int64, the clockwise quarter turns that were applied; `fingerprint`.

    Args:
        path: where to.
        result: the matches.
        origin: the fingerprint of what it was made from.

    Raises:
        OutputError: the file cannot be written.
    """
    image0, image1 = result.image0, result.image1
    content = archive_bytes(
        keypoints0=image0.frame.to_network(image0.keypoints),
        keypoints1=image1.frame.to_network(image1.keypoints),
        matches=result.matches.matches0,
        match_confidence=result.matches.scores0,
        keypoints0_original=image0.keypoints,
        keypoints1_original=image1.keypoints,
        turns0=np.array(-image0.frame.quarter_turns % 4),
        turns1=np.array(-image1.frame.quarter_turns % 4),
        fingerprint=np.array(origin),
    )
    write_atomically(path, content)


def read_matches(path: Path, origin: str) -> StoredMatches | None:
    """The matches of an earlier run, or None if they are absent, damaged or made from something else."""
    found = _read(path, origin, ("keypoints0", "keypoints1", "matches"))
    if found is None:
        return None
    return StoredMatches(len(found["keypoints0"]), len(found["keypoints1"]), int((found["matches"] >= 0).sum()))


def write_evaluation(path: Path, evaluation: PairEvaluation, record: Record, origin: str) -> None:
    """Write `{stem0}_{stem1}_evaluation.npz`.

    Keys of the original program: `error_t`, `error_R` in degrees, `precision`, `matching_score`, `num_correct`,
    `epipolar_errors`. Beyond it: everything in `record`, and `fingerprint`.

    Args:
        path: where to.
        evaluation: the numbers.
        record: how the pose was estimated.
        origin: the fingerprint of what it was made from.

    Raises:
        OutputError: the file cannot be written.
    """
    content = archive_bytes(
        error_t=np.array(evaluation.error_t),
        error_R=np.array(evaluation.error_R),
        precision=np.array(evaluation.precision),
        matching_score=np.array(evaluation.matching_score),
        num_correct=np.array(evaluation.num_correct),
        epipolar_errors=evaluation.epipolar_errors,
        fingerprint=np.array(origin),
        **{name: np.array(value) for name, value in record.items()},
    )
    write_atomically(path, content)


def read_evaluation(path: Path, origin: str) -> PairEvaluation | None:
    """The evaluation of an earlier run, or None if it is absent, damaged or made from something else."""
    names = ("error_t", "error_R", "precision", "matching_score", "num_correct", "epipolar_errors")
    found = _read(path, origin, names)
    if found is None:
        return None
    error_t, error_R, precision, matching_score = (float(found[name]) for name in names[:4])
    errors = np.asarray(found["epipolar_errors"], dtype=np.float64)
    return PairEvaluation(error_t, error_R, precision, matching_score, int(found["num_correct"]), errors)


def _read(path: Path, origin: str, names: tuple[str, ...]) -> Mapping[str, NDArray[Any]] | None:
    try:
        if str(read_arrays(path, ["fingerprint"])["fingerprint"]) != origin:
            return None
        return read_arrays(path, names)
    except InputError:
        return None  # whatever it is, it is not our file: it is made anew
