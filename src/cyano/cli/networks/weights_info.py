"""What `cyano weights` tells and does, on files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from torch import Tensor

from cyano.checkpoints import magicleap, resolve, save_folder
from cyano.checkpoints.cards import Origin, keep_card, licence_of
from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.files import TORCH_SUFFIXES, sha256
from cyano.checkpoints.huggingface import model_folder
from cyano.checkpoints.loading import load_checkpoint
from cyano.cli.output import UNKNOWN_LICENCE
from cyano.errors import WeightsError

__all__ = ["converted", "describe"]


def describe(name: str) -> dict[str, Any]:
    """Everything that can be told about weights, in plain values.

    Raises:
        WeightsError: they cannot be found or read.
    """
    path = resolve(name)
    checkpoint = load_checkpoint(path)
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in _WEIGHT_FILES and p.is_file())
    tensors = checkpoint.superglue_tensors
    return {
        "name": name,
        "path": str(path),
        "licence": licence_of(Origin(name, path)) or UNKNOWN_LICENCE,
        "parameters": {
            "detector": _parameters(checkpoint.superpoint_tensors),
            "matcher": None if tensors is None else _parameters(tensors),
        },
        "detector": _plain(vars(checkpoint.superpoint)),
        "matcher": None if checkpoint.superglue is None else _plain(vars(checkpoint.superglue)),
        "bytes": {file.name: file.stat().st_size for file in files},
        "sha256": {file.name: sha256(file) for file in files},
    }


_WEIGHT_FILES = TORCH_SUFFIXES | {".safetensors", ".json"}
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def _parameters(tensors: Mapping[str, Tensor]) -> int:
    """How many numbers are trained; statistics of normalisation layers are not."""
    return sum(tensor.numel() for name, tensor in tensors.items() if not name.endswith(_STATISTICS))


def _plain(config: Mapping[str, object]) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}


def converted(source: str, target: Path, superpoint: Path | None, *, half: bool, overwrite: bool) -> str:
    """Write a model in the original's or Hugging Face's form as a folder in the latter, in float16 if `half`.

    The model card goes with it.

    Returns:
        The licence of the weights.

    Raises:
        WeightsError: the source cannot be read.
        OutputError: the target holds another model or cannot be written.
        WeightsError: a weight is too large for float16.
        typer.BadParameter: a detector is given to a source that has one.
    """
    checkpoint = _read(source, superpoint)
    if half:
        matcher = checkpoint.superglue_tensors
        checkpoint = replace(
            checkpoint,
            superpoint_tensors=_halved(checkpoint.superpoint_tensors),
            superglue_tensors=None if matcher is None else _halved(matcher),
        )
    save_folder(target, checkpoint, overwrite=overwrite)
    origin = Origin(source, model_folder(resolve(source)))
    keep_card(target, origin, changed=False)
    return licence_of(origin) or UNKNOWN_LICENCE


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    halved = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    for name, value in halved.items():
        if not value.isfinite().all():
            raise WeightsError(f"{name} has values beyond those of float16; convert without --half")
    return halved


def _read(source: str, superpoint: Path | None) -> Checkpoint:
    if superpoint is None:
        return load_checkpoint(resolve(source))
    path = Path(source)
    if path.suffix not in TORCH_SUFFIXES or path.name == magicleap.DETECTOR_FILE:
        raise typer.BadParameter(f"--superpoint goes with one of SuperGlue's superglue_*.pth, not with {source}")
    return magicleap.load_files(superpoint, path)
