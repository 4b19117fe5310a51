"""The original checkpoints' names (superpoint_v1.pth, superglue_{indoor,outdoor}.pth), both ways.

Derived from the tensor names and shapes in these files. Three things differ from Hugging Face's form: the
names; 1x1 convolutions (out, in, 1) where the other has linear layers (out, in); and the order of the
channels that the attention heads share. The original counts channels as (dim, head), Hugging Face as (head,
dim): a checkpoint read in the wrong order runs and looks plausible, but matches badly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from cyano.checkpoints.checkpoint import DETECTOR, Checkpoint
from cyano.checkpoints.files import read_tensors
from cyano.errors import WeightsError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig

__all__ = ["DETECTOR_FILE", "from_original", "load_files", "to_original"]

DETECTOR_FILE = "superpoint_v1.pth"
"""The original detector's file name."""

HEADS = 4
"""Attention heads of the original matcher; its files do not say."""

THRESHOLD = 0.2
"""The original library's matching threshold, which its files do not say either (Hugging Face's copies have
0)."""

_DETECTOR_LAYERS = {
    **{f"conv{block + 1}{half}": f"encoder.conv_blocks.{block}.conv_{half}" for block in range(4) for half in "ab"},
    **{f"convP{half}": f"keypoint_decoder.conv_score_{half}" for half in "ab"},
    **{f"convD{half}": f"descriptor_decoder.conv_descriptor_{half}" for half in "ab"},
}


class _Kind(Enum):
    COPY = "as it is"
    CONV1 = "a 1x1 convolution there, linear here"
    HEADS_OUT = "likewise, and the outputs are ordered by heads"
    HEADS_IN = "likewise, and the inputs are ordered by heads"


class _Layer(NamedTuple):
    original: str
    ours: str
    kind: _Kind


def _matcher_layers(encoder_layers: int, gnn_layers: int) -> list[_Layer]:
    """All layers of a matcher with so many linear layers in the keypoint encoder and so many graph layers."""
    layers = [_Layer("final_proj", "final_projection.final_proj", _Kind.CONV1)]
    for i in range(encoder_layers):
        last = i + 1 == encoder_layers
        ours = f"keypoint_encoder.encoder.{i}"
        # There, one sequence of convolution, normalisation, ReLU, and so on; here, one module for each three.
        layers.append(_Layer(f"kenc.encoder.{3 * i}", ours if last else f"{ours}.linear", _Kind.CONV1))
        if not last:
            layers.append(_Layer(f"kenc.encoder.{3 * i + 1}", f"{ours}.batch_norm", _Kind.COPY))
    for i in range(gnn_layers):
        there = here = f"gnn.layers.{i}"
        for j, name in enumerate(("query", "key", "value")):
            layers.append(_Layer(f"{there}.attn.proj.{j}", f"{here}.attention.self.{name}", _Kind.HEADS_OUT))
        layers.append(_Layer(f"{there}.attn.merge", f"{here}.attention.output.dense", _Kind.HEADS_IN))
        layers.append(_Layer(f"{there}.mlp.0", f"{here}.mlp.0.linear", _Kind.CONV1))
        layers.append(_Layer(f"{there}.mlp.1", f"{here}.mlp.0.batch_norm", _Kind.COPY))
        layers.append(_Layer(f"{there}.mlp.3", f"{here}.mlp.1", _Kind.CONV1))
    return layers


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """How many different numbers the names have in the place of the pattern's group."""
    return len({found[1] for name in tensors if (found := re.match(pattern, name))})


def from_original(
    superpoint: Mapping[str, Tensor], superglue: Mapping[str, Tensor] | None = None, heads: int = HEADS
) -> dict[str, Tensor]:
    """Original tensors to Hugging Face's names and layout; names that are not known stay as they are.

    Args:
        superpoint: the content of superpoint_v1.pth.
        superglue: the content of superglue_indoor.pth or superglue_outdoor.pth; None for the detector alone,
            whose names then come without the prefix `keypoint_detector.`.
        heads: attention heads of the matcher.
    """
    prefix = "" if superglue is None else DETECTOR
    result = {}
    for name, tensor in superpoint.items():
        theirs, _, field = name.rpartition(".")
        result[prefix + _joined(_DETECTOR_LAYERS.get(theirs, theirs), field)] = tensor
    if superglue is None:
        return result
    encoder_layers = _count(superglue, r"kenc\.encoder\.(\d+)\.weight")
    layers = _matcher_layers((encoder_layers + 1) // 2, _count(superglue, r"gnn\.layers\.(\d+)\."))
    by_original = {layer.original: layer for layer in layers}
    for name, tensor in superglue.items():
        layer_name, _, field = name.rpartition(".")
        layer = by_original.get(layer_name, _Layer(layer_name, layer_name, _Kind.COPY))
        result[_joined(layer.ours, field)] = _to_ours(tensor, field, layer.kind, heads)
    return result


def to_original(tensors: Mapping[str, Tensor], heads: int = HEADS) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The inverse of `from_original` for a matcher's checkpoint: the contents of the two original files.

    Args:
        tensors: by Hugging Face's names, the detector's with `keypoint_detector.` before them.
        heads: attention heads of the matcher.

    Returns:
        The detector's and the matcher's tensors.
    """
    encoder_layers = _count(tensors, r"keypoint_encoder\.encoder\.(\d+)\.")
    by_ours = {layer.ours: layer for layer in _matcher_layers(encoder_layers, _count(tensors, r"gnn\.layers\.(\d+)\."))}
    detector_names = {ours: original for original, ours in _DETECTOR_LAYERS.items()}
    superpoint, superglue = {}, {}
    for name, tensor in tensors.items():
        layer_name, _, field = name.rpartition(".")
        if name.startswith(DETECTOR):
            ours = layer_name.removeprefix(DETECTOR)
            superpoint[_joined(detector_names.get(ours, ours), field)] = tensor
        else:
            layer = by_ours.get(layer_name, _Layer(layer_name, layer_name, _Kind.COPY))
            superglue[_joined(layer.original, field)] = _to_theirs(tensor, field, layer.kind, heads)
    return superpoint, superglue


def _joined(layer: str, field: str) -> str:
    """The name of a layer's tensor; `bin_score` belongs to no layer."""
    return f"{layer}.{field}" if layer else field


def _to_ours(tensor: Tensor, field: str, kind: _Kind, heads: int) -> Tensor:
    if kind is not _Kind.COPY and field == "weight" and tensor.ndim == 3 and tensor.shape[-1] == 1:
        tensor = tensor.squeeze(-1)
    axis = _head_axis(field, kind, tensor, heads)
    if axis is None:
        return tensor
    return torch.unflatten(tensor, axis, (-1, heads)).transpose(axis, axis + 1).flatten(axis, axis + 1)


def _to_theirs(tensor: Tensor, field: str, kind: _Kind, heads: int) -> Tensor:
    axis = _head_axis(field, kind, tensor, heads)
    if axis is not None:
        tensor = torch.unflatten(tensor, axis, (heads, -1)).transpose(axis, axis + 1).flatten(axis, axis + 1)
    return tensor.unsqueeze(-1) if kind is not _Kind.COPY and field == "weight" else tensor


def _head_axis(field: str, kind: _Kind, tensor: Tensor, heads: int) -> int | None:
    """The axis whose channels the heads share, if any (none either in a tensor that cannot be right)."""
    axis = None
    if kind is _Kind.HEADS_OUT:
        axis = 0
    elif kind is _Kind.HEADS_IN and field == "weight":
        axis = 1
    if axis is None or tensor.ndim <= axis or tensor.shape[axis] % heads:
        return None
    return axis


def load_files(superpoint: Path, superglue: Path | None = None) -> Checkpoint:
    """Read original files; sizes come from the tensors, all else is the original library's default.

    Args:
        superpoint: the detector's file.
        superglue: the matcher's file; None for the detector alone.

    Raises:
        WeightsError: a file is damaged or is another network's.
    """
    detector = read_tensors(superpoint)
    matcher = None if superglue is None else read_tensors(superglue)
    where = str(superpoint) if superglue is None else f"{superglue} and {superpoint}"
    detector_config = SuperPointConfig(
        encoder_hidden_sizes=tuple(_rows(detector, f"conv{block}b.weight", where) for block in (1, 2, 3, 4)),
        decoder_hidden_size=_rows(detector, "convPa.weight", where),
        descriptor_decoder_dim=_rows(detector, "convDb.weight", where),
    )
    tensors = from_original(detector, matcher)
    return Checkpoint.fitted(where, detector_config, _matcher_config(matcher, where), tensors)


def _matcher_config(matcher: Mapping[str, Tensor] | None, where: str) -> SuperGlueConfig | None:
    if matcher is None:
        return None
    sizes: list[int] = []
    while f"kenc.encoder.{3 * len(sizes) + 1}.weight" in matcher:
        sizes.append(_rows(matcher, f"kenc.encoder.{3 * len(sizes)}.weight", where))
    layers = _count(matcher, r"gnn\.layers\.(\d+)\.")
    hidden = _rows(matcher, "final_proj.weight", where)
    if hidden % HEADS:
        raise WeightsError(f"{where} has {hidden} channels, which {HEADS} attention heads cannot share")
    return SuperGlueConfig(
        hidden_size=hidden,
        keypoint_encoder_sizes=tuple(sizes),
        gnn_layers_types=tuple("self" if i % 2 == 0 else "cross" for i in range(layers)),
        num_attention_heads=HEADS,
        matching_threshold=THRESHOLD,
    )


def _rows(tensors: Mapping[str, Tensor], name: str, where: str) -> int:
    """The first size of a tensor that has to be there."""
    tensor = tensors.get(name, torch.empty(0, dtype=torch.float32, device="cpu"))
    if tensor.ndim == 0 or tensor.shape[0] == 0:
        raise WeightsError(
            f"{where}: {name} is missing; these are not the original's tensors (superpoint_v1.pth and "
            "superglue_indoor.pth or superglue_outdoor.pth)"
        )
    return int(tensor.shape[0])
