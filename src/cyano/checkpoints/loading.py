"""Weights to networks that are ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cyano import weights
from cyano.checkpoints import huggingface, magicleap
from cyano.checkpoints.cards import Origin, licence_of
from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.files import TORCH_SUFFIXES
from cyano.checkpoints.hub import HubOptions, resolve
from cyano.errors import WeightsError
from cyano.models.superglue import SuperGlue
from cyano.models.superpoint import SuperPoint

__all__ = ["Networks", "load", "load_checkpoint"]


@dataclass(frozen=True, eq=False, repr=False)
class Networks:
    """A detector and a matcher with their weights, in evaluation mode, float32, on the CPU.

    Attributes:
        superpoint: the detector.
        superglue: the matcher; None if the weights are a detector's alone.
        source: where the weights come from: a name in the catalogue, or a path or name as given.
        licence: by name, by the model card, or as a copy of known weights; None if unknown.

    Example:
        >>> networks = load()
        >>> networks.source, networks.licence
        ('cyano-small', 'Apache-2.0')
    """

    superpoint: SuperPoint
    superglue: SuperGlue | None
    source: str
    licence: str | None

    def __repr__(self) -> str:
        parts = "SuperPoint" if self.superglue is None else "SuperPoint and SuperGlue"
        return f"Networks({self.source}: {parts})"


def load(name_or_path: str | Path | None = None, hub: HubOptions | None = None) -> Networks:
    """Build the networks and load their weights.

    Args:
        name_or_path: None for the weights that come with Cyano; a folder in Hugging Face's form; a name on
            the Hugging Face hub ("owner/name"); or the original's files: superglue_indoor.pth or
            superglue_outdoor.pth with superpoint_v1.pth beside it, the latter alone, or a folder with them.
        hub: how to fetch from the hub.

    Raises:
        WeightsError: there is nothing to load, it cannot be fetched, or it is damaged.

    Example:
        >>> load().superpoint.training, load("cyano-tiny").source
        (False, 'cyano-tiny')
    """
    path = resolve(name_or_path, hub)
    checkpoint = load_checkpoint(path)
    superglue = None
    with torch.device("cpu"):  # whatever a program has made the default, such as "meta", which holds no values
        superpoint = SuperPoint(checkpoint.superpoint)
        superpoint.load_state_dict(dict(checkpoint.superpoint_tensors))
        if checkpoint.superglue is not None and checkpoint.superglue_tensors is not None:
            superglue = SuperGlue(checkpoint.superglue).eval()
            superglue.load_state_dict(dict(checkpoint.superglue_tensors))
    source = str(weights.DEFAULT if name_or_path is None else name_or_path)
    return Networks(superpoint.eval(), superglue, source, licence_of(Origin(source, path)))


def load_checkpoint(path: Path, variant: str | None = None) -> Checkpoint:
    """Load an existing folder or file in Hugging Face's or the original's form.

    Args:
        path: of the folder or file.
        variant: see `cyano.checkpoints.load_folder`.

    Raises:
        WeightsError: it holds no weights, more than one choice of them, or damaged ones.
    """
    path = huggingface.model_folder(path)
    if path.is_dir():
        if (path / huggingface.CONFIG_FILE).exists() or not list(path.glob("super*.pth")):
            return huggingface.load_folder(path, variant)
        return _load_original(_only_matcher(path))
    if path.suffix in TORCH_SUFFIXES:
        return _load_original(path)
    raise WeightsError(f"{path} is not a model: give its folder, or one of the original .pth files")


def _only_matcher(folder: Path) -> Path:
    matchers = sorted(folder.glob("superglue*.pth"))
    if len(matchers) > 1:
        names = " or ".join(path.name for path in matchers)
        raise WeightsError(f"{folder} holds several matchers; give the path of one of them: {names}")
    return matchers[0] if matchers else folder / magicleap.DETECTOR_FILE


def _load_original(path: Path) -> Checkpoint:
    if path.name == magicleap.DETECTOR_FILE:
        return magicleap.load_files(path)
    detector = path.parent / magicleap.DETECTOR_FILE
    if not detector.exists():
        raise WeightsError(f"{path} needs its detector: put {magicleap.DETECTOR_FILE} beside it")
    return magicleap.load_files(detector, path)
