"""Networks with more channels that begin as the function of narrower ones (Net2Net, arXiv:1511.05641, section 2.3).

The narrow network keeps the first channels to itself: nothing that is new writes to them, and what read them reads
nothing else. The new channels hold what the keypoint encoder says of a keypoint's position, new attention heads look
where old ones look and bring that from there, and new units of the MLPs read everything; only training lets them have
their say. A narrow network that is at the end of what its size learns goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from cyano.errors import InputError
from cyano.models.attention import Attention
from cyano.models.precision import CPU_FLOATS
from cyano.models.superglue import Layer, SuperGlue, SuperGlueConfig
from cyano.models.superpoint import SuperPoint

__all__ = ["widened_detector", "widened_superglue"]

CODE_LENGTH = 0.5
"""Length, about, of what the keypoint encoder writes to all new channels, where descriptors have 1."""

NOISE = 0.1
"""Of new heads' queries and keys against those that they are copies of, in standard deviations."""

NEW_SCORE = 3.0
"""What the final projection multiplies new channels by: not 0, for from there no gradient would leave; the scores
change by less than a tenth."""


def widened_detector(superpoint: SuperPoint, channels: int) -> SuperPoint:
    """The same keypoints and descriptors, with zeros after the latter up to so many channels."""
    wide = SuperPoint(replace(superpoint.config, descriptor_decoder_dim=channels))
    old = superpoint.state_dict()
    wide.load_state_dict({name: _with_zeros(old[name], tensor.shape) for name, tensor in wide.state_dict().items()})
    return wide.train(superpoint.training)


def widened_superglue(superglue: SuperGlue, config: SuperGlueConfig, seed: int) -> SuperGlue:
    """The same matcher with more channels, for descriptors that have zeros in the new ones.

    Args:
        superglue: a trained matcher of n channels.
        config: of N > n channels and as many more heads, everything else alike.
        seed: of what is random.

    Raises:
        InputError: heads would have another number of channels.
    """
    old, new = superglue.config.hidden_size, config.hidden_size
    if old * config.num_attention_heads != new * superglue.config.num_attention_heads:
        raise InputError(
            f"a matcher of {old} channels in {superglue.config.num_attention_heads} heads widens to {new} channels in "
            f"{new * superglue.config.num_attention_heads / old:g} heads, not {config.num_attention_heads}"
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        wide = SuperGlue(config)
        narrow = superglue.state_dict()
        own = {name: _with_zeros(narrow[name], tensor.shape) for name, tensor in wide.state_dict().items()}
        layers = [cast("Layer", layer) for layer in wide.gnn.layers]
        first = [layer.mlp[0] for layer in layers]
        fresh = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in first]
        wide.load_state_dict(own)
        for layer, units in zip(layers, fresh, strict=True):
            _add_heads(layer.attention, old)
            _add_units(layer.mlp[0], units, old)
        last = cast("nn.Linear", wide.keypoint_encoder.encoder[-1])
        nn.init.normal_(last.weight[old:], std=CODE_LENGTH / ((new - old) * last.in_features) ** 0.5)
        final = wide.final_projection.final_proj
        share = (new / old) ** 0.25  # products are divided by the root of the number of channels
        final.weight.mul_(share)
        final.bias.mul_(share)
        final.weight[old:, old:] = NEW_SCORE * torch.eye(new - old, **CPU_FLOATS)
    return wide.train(superglue.training)


def _with_zeros(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor at the beginning of one that is larger in some directions."""
    result = tensor.new_zeros(shape)
    result[tuple(slice(size) for size in tensor.shape)] = tensor
    return result


def _add_heads(attention: Attention, old: int) -> None:
    """New heads look nearly where old ones look, and bring the new channels from there to the new ones."""
    for linear in (attention.self.query, attention.self.key):
        weight, bias = linear.weight[:old], linear.bias[:old]
        rows = torch.arange(linear.out_features - old, dtype=torch.int64, device="cpu") % old
        linear.weight[old:] = linear.weight[rows] + NOISE * weight.std() * torch.randn(
            len(rows), linear.in_features, **CPU_FLOATS
        )
        linear.bias[old:] = bias[rows]
    for linear in (attention.self.value, attention.output.dense):
        linear.weight[old:, old:] = torch.eye(linear.out_features - old, **CPU_FLOATS)


def _add_units(layer: nn.Module, fresh: dict[str, Tensor], old: int) -> None:
    """New units of an MLP are as for any new network; the old ones read the message where it is now."""
    for name, tensor in layer.state_dict().items():
        if name == "linear.weight":
            half = tensor.shape[1] // 2
            tensor[:, half : half + old] = tensor[:, old : 2 * old].clone()  # the two may overlap
            tensor[:, old:half] = 0
        if tensor.ndim:
            tensor[2 * old :] = fresh[name][2 * old :]
