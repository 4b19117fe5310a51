"""What a run leaves: model folders, written by the first of several processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.huggingface import save_folder
from cyano.models.superglue import SuperGlue
from cyano.models.superpoint import SuperPoint
from cyano.training.run.processes import is_first_process

__all__ = ["save_detector", "save_model"]


def save_detector(folder: Path, superpoint: SuperPoint) -> None:
    """A detector's model folder, from the first of several processes."""
    if not is_first_process():
        return
    tensors = {name: tensor.detach().cpu() for name, tensor in superpoint.state_dict().items()}
    save_folder(folder, Checkpoint(superpoint.config, tensors), overwrite=True)


def save_model(folder: Path, superpoint: SuperPoint, superglue: SuperGlue) -> None:
    """A matcher's model folder, detector included, from the first of several processes."""
    if not is_first_process():
        return
    detector = {name: tensor.detach().cpu() for name, tensor in superpoint.state_dict().items()}
    matcher = {name: tensor.detach().cpu() for name, tensor in superglue.state_dict().items()}
    config = replace(superglue.config)
    save_folder(folder, Checkpoint(superpoint.config, detector, config, matcher), overwrite=True)
