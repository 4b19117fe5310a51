"""Predictions on the disk: one file for each set and method, with the configuration that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyano.atomic import archive_bytes, write_atomically
from cyano.errors import OutputError
from cyano.evaluation.methods.prediction import PairPrediction
from cyano.evaluation.provenance import Record, library_versions
from cyano.evaluation.sets.pair_sets import PairSet
from cyano.processing.images import ImageSource, read
from cyano.reading import parse_json, read_arrays, refusing
from cyano.types import ImageSize, ResizeMap

__all__ = ["PredictionFile", "predictions_path", "read_predictions", "set_fingerprint", "write_predictions"]

FORMAT = "cyano-predictions-2"


@dataclass(frozen=True, eq=False)
class PredictionFile:
    """The content of a file.

    Attributes:
        configuration: what decided the predictions: the method's record, and the set's name and fingerprint.
        predictions: one for each pair of the set, in its order.
    """

    configuration: Record
    predictions: tuple[PairPrediction, ...]


def predictions_path(folder: Path, set_name: str, method_name: str) -> Path:
    """Where the predictions of a method for a set are."""
    return folder / "predictions" / f"{set_name}.{method_name}.npz"


def set_fingerprint(pair_set: PairSet) -> str:
    """SHA-256 over the names, the turns and the content of all images of a set; 64 hexadecimal digits.

    The truth is not part of it: predictions do not depend on it.
    """
    digests: dict[str, str] = {}
    total = hashlib.sha256()
    for pair in pair_set.pairs:
        for name, source, turns in ((pair.name0, pair.image0, pair.turns0), (pair.name1, pair.image1, pair.turns1)):
            if name not in digests:
                digests[name] = _image_digest(source)
            total.update(f"{name}\0{turns % 4}\0{digests[name]}\n".encode("utf-8", "surrogatepass"))
    return total.hexdigest()


def _image_digest(source: ImageSource) -> str:
    """SHA-256 of an image's file, or of its pixels; "unreadable" where there is none."""
    try:
        if isinstance(source, str | Path):
            path = Path(source)
            if not path.is_file():  # a pipe or a device would never end
                return "unreadable"
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        loaded = read(source)
    except (OSError, ValueError):
        return "unreadable"
    return hashlib.sha256(f"{loaded.size};".encode() + loaded.grey.tobytes() + loaded.rgb.tobytes()).hexdigest()


def write_predictions(path: Path, content: PredictionFile) -> None:
    """Write the file whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    arrays: dict[str, Any] = {}
    errors = []
    for index, prediction in enumerate(content.predictions):
        errors.append(prediction.error)
        arrays[f"keypoints0_{index}"] = prediction.keypoints0
        arrays[f"keypoints1_{index}"] = prediction.keypoints1
        arrays[f"matches_{index}"] = prediction.matches
        arrays[f"scores_{index}"] = prediction.scores
        arrays[f"doubtful_{index}"] = prediction.doubtful
        arrays[f"sizes_{index}"] = _sizes(prediction)
    head = {
        "format": FORMAT,
        "configuration": content.configuration,
        "versions": library_versions(),  # told, not compared: a new torch does not make another method
        "errors": errors,
    }
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    write_atomically(path, archive_bytes(**arrays))


def _sizes(prediction: PairPrediction) -> Any:
    """(4, 2) int64 (height, width): original and resized image 0, original and resized image 1."""
    frames = (prediction.frame0, prediction.frame1)
    return np.array([(size.height, size.width) for frame in frames for size in (frame.original, frame.network)])


def read_predictions(path: Path, configuration: Record, *, overwrite: bool = False) -> PredictionFile | None:
    """The predictions of an earlier run, if there are some of this configuration.

    Args:
        path: the file.
        configuration: the one that is wanted.
        overwrite: whether a file of another configuration, or a damaged one, counts as none.

    Raises:
        OutputError: the file was made otherwise, or cannot be understood, and is not to be overwritten.
    """
    remedy = "give another --out, or replace it with --overwrite"
    if not path.exists():
        return None
    try:
        archive = read_arrays(path, remedy=remedy, error=OutputError)
        with refusing(path, remedy, OutputError):
            head = parse_json(archive["head"].tobytes(), path, remedy=remedy, error=OutputError)
            if head["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            changes = _changes(head["configuration"], configuration)
            if changes:
                raise OutputError(f"{path} has predictions of other options ({'; '.join(changes)}); {remedy}")
            return _unpack(archive, head["errors"], configuration)
    except OutputError:
        if overwrite:
            return None
        raise


def _unpack(archive: Any, errors: Sequence[str], configuration: Record) -> PredictionFile:
    predictions = []
    for index, error in enumerate(errors):
        sizes = [ImageSize(int(height), int(width)) for height, width in archive[f"sizes_{index}"]]
        predictions.append(
            PairPrediction(
                archive[f"keypoints0_{index}"],
                archive[f"keypoints1_{index}"],
                archive[f"matches_{index}"],
                archive[f"scores_{index}"],
                ResizeMap(sizes[0], sizes[1]),
                ResizeMap(sizes[2], sizes[3]),
                error,
                archive[f"doubtful_{index}"],
            )
        )
    return PredictionFile(configuration, tuple(predictions))


def _changes(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One text for each value that differs."""
    return [
        f"{name} was {earlier.get(name)} and is {now.get(name)} now"
        for name in sorted(earlier.keys() | now.keys())
        if earlier.get(name) != now.get(name)
    ]
