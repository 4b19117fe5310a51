"""Settings of weights that came without a config.json, as transformers' Trainer saves models that are not its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from cyano import weights
from cyano.checkpoints.checkpoint import DETECTOR
from cyano.checkpoints.configs import superglue_to_dict, superpoint_to_dict
from cyano.checkpoints.files import read_json
from cyano.checkpoints.huggingface import CONFIG_FILE
from cyano.errors import WeightsError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig

__all__ = ["inferred_config"]


def inferred_config(tensors: Mapping[str, Tensor], where: str) -> tuple[dict[str, object], str]:
    """The content of a config.json for tensors in Hugging Face's form.

    Sizes are those of the tensors. No tensor tells of the rest, such as thresholds: it is what the weights that come
    with Cyano have, where these are of the same sizes, or else transformers' defaults.

    Args:
        tensors: of a matcher with its detector, or of a detector alone.
        where: what to call them in a message.

    Returns:
        The content, and where the rest comes from.

    Raises:
        WeightsError: they are of neither.
    """
    try:
        if "bin_score" in tensors:
            detector = {n.removeprefix(DETECTOR): t for n, t in tensors.items() if n.startswith(DETECTOR)}
            content = superglue_to_dict(_superglue(tensors), _superpoint(detector))
        else:
            content = superpoint_to_dict(_superpoint(tensors))
    except KeyError as error:
        raise WeightsError(f"{where} has neither a config.json nor the tensor {error}; it is not a model") from error
    ours: Mapping[str, object] = read_json(weights.default_folder() / CONFIG_FILE)
    if content["model_type"] == "superpoint":
        nested = ours["keypoint_detector_config"]
        ours = nested if isinstance(nested, Mapping) else {}
    return (dict(ours), weights.DEFAULT) if _sizes(content) == _sizes(ours) else (content, "transformers' defaults")


def _superglue(tensors: Mapping[str, Tensor]) -> SuperGlueConfig:
    numbers = [int(found[1]) for name in tensors if (found := re.match(r"gnn\.layers\.(\d+)\.", name))]
    sizes: list[int] = []
    while (linear := tensors.get(f"keypoint_encoder.encoder.{len(sizes)}.linear.weight")) is not None:
        sizes.append(len(linear))
    return SuperGlueConfig(
        hidden_size=len(tensors["final_projection.final_proj.weight"]),
        keypoint_encoder_sizes=tuple(sizes),
        gnn_layers_types=tuple("cross" if i % 2 else "self" for i in range(1 + max(numbers, default=-1))),
    )


def _superpoint(tensors: Mapping[str, Tensor]) -> SuperPointConfig:
    return SuperPointConfig(
        encoder_hidden_sizes=tuple(len(tensors[f"encoder.conv_blocks.{i}.conv_b.weight"]) for i in range(4)),
        decoder_hidden_size=len(tensors["keypoint_decoder.conv_score_a.weight"]),
        descriptor_decoder_dim=len(tensors["descriptor_decoder.conv_descriptor_b.weight"]),
    )


def _sizes(content: Mapping[str, object]) -> dict[str, object]:
    """What the tensors tell of, in a form that can be compared."""
    named = ("encoder_hidden_sizes", "decoder_hidden_size", "descriptor_decoder_dim", "hidden_size")
    sizes = {name: content.get(name) for name in (*named, "keypoint_encoder_sizes", "gnn_layers_types")}
    nested = content.get("keypoint_detector_config")
    return {**sizes, "detector": _sizes(nested) if isinstance(nested, Mapping) else None}
