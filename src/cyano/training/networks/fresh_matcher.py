"""A SuperGlue to begin with, which already matches: descriptor matching with a coarse check of the layout.

From the usual small random weights attention is the same for all keypoints, its messages say nothing for thousands of
steps, and the network ends up near descriptor matching after all that, so it may as well begin there. What training
then has to find by itself most slowly is that true matches agree with their neighbours; the first weights compute a
rough form of that. States have parts that do not mix: descriptors in the first half of the channels
(`cyano.training.networks.principal_axes` leaves them there), a code of the keypoint's own position, a code of its
partner's position, and free channels. Cross-attention compares descriptors and brings the code of the partner's
position; self-attention replaces it by its mean over the neighbours; the next cross-attention compares descriptors and
codes; and the final projection scores both. Every weight is trained like any other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cyano.errors import InputError
from cyano.models.attention import Attention
from cyano.models.precision import CPU_FLOATS
from cyano.models.superglue import KeypointEncoder, Layer, SuperGlue, SuperGlueConfig

__all__ = ["fresh_superglue"]

CODE_LENGTH = 0.5
"""Length of a code of position, where descriptors have 1."""

WAVE_LENGTHS = (0.6, 0.5, 0.35, 0.25)
"""Of the codes' waves, over 2 pi and before `WAVE_SHARE`, in units of normalised positions (an image spans 1.4)."""

WAVE_SHARE = 1.2

DESCRIPTOR_SHARPNESS = (20.0, 30.0)
"""What cosines of descriptors are multiplied by in the two groups of heads of a cross layer."""

GUIDE_SHARPNESS = 1.0
"""What the product of the codes' sums, at most 4, is multiplied by in the first group."""

NEIGHBOUR_SHARPNESS, LIKENESS_SHARPNESS = 8.0, 3.0
"""The same for codes of position and for descriptors, within an image."""

GUIDE_WEIGHT = 0.075
"""What the codes' product weighs in the final scores against a cosine."""

SMOOTHING = 0.7
"""How far the code of the partner's position moves to the mean over the neighbours."""

_HINGES = 6000
"""Positions that the codes are fitted at."""


@dataclass(frozen=True)
class _Parts:
    """Where the parts of a state lie."""

    size: int

    @property
    def descriptor(self) -> int:
        """Channels 0 to this have the descriptor."""
        return self.size // 2

    @property
    def code(self) -> int:
        """Channels of a code; own position's come after the descriptor, the partner's after those."""
        return self.size // 16 * 2

    @property
    def position(self) -> range:
        return range(self.descriptor, self.descriptor + self.code)

    @property
    def partner(self) -> range:
        return range(self.descriptor + self.code, self.descriptor + 2 * self.code)


def fresh_superglue(config: SuperGlueConfig, seed: int, temperature: float = 20.0) -> SuperGlue:
    """Descriptor matching with a coarse check of the layout.

    Args:
        config: of an even number of attention heads.
        seed: of what is random.
        temperature: what cosines are multiplied by in the scores; dustbins take what has no cosine above 0.6.

    Raises:
        InputError: the heads cannot be halved, or there are fewer than 16 channels.
    """
    if config.num_attention_heads % 2 or config.hidden_size < 16:
        raise InputError(
            f"a new matcher needs an even number of attention heads and at least 16 channels, not "
            f"{config.num_attention_heads} and {config.hidden_size}; change num_attention_heads or hidden_size"
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        superglue = SuperGlue(config)
        parts = _Parts(config.hidden_size)
        usual_code = _encode_by_waves(superglue.keypoint_encoder, parts, config.keypoint_extras)
        crossed = False
        for module, kind in zip(superglue.gnn.layers, config.gnn_layers_types, strict=True):
            layer = cast("Layer", module)
            _begin_layer(layer, kind == "cross", crossed, parts)
            if kind == "cross" or crossed:
                _update_partner(
                    layer, kind == "cross", torch.zeros(parts.code, **CPU_FLOATS) if crossed else usual_code, parts
                )
            crossed = crossed or kind == "cross"
        _score(superglue, parts, temperature)
        into = superglue.input_projection
        if isinstance(into, nn.Linear):
            _keep_cosines(into)
    return superglue


def _encode_by_waves(encoder: KeypointEncoder, parts: _Parts, extras: int) -> Tensor:
    """Hinges all over the image, and a last layer that fits cosines and sines of the position by them.

    The products of such codes fall with the distance; those of a random encoder, whose hinges all pass through the
    mean position, hardly do. Returns the mean code.
    """
    *layers, end = encoder.encoder
    last = cast("nn.Linear", end)
    places = torch.rand(_HINGES, 2, **CPU_FLOATS) * 1.5 - 0.75
    x = torch.cat(
        [places, torch.rand(_HINGES, 1, **CPU_FLOATS) ** 2, torch.rand(_HINGES, extras, **CPU_FLOATS) * 2 - 1], dim=1
    )
    for number, layer in enumerate(layers):
        linear, norm = _inside(layer)
        nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
        if number == 0:
            linear.weight[:, 2:] *= 0.3 * (torch.rand(linear.out_features, 1 + extras, **CPU_FLOATS) < 0.2).float()
        nn.init.zeros_(linear.bias)
        z: Tensor = linear(x)
        _statistics(norm)[0].copy_(z.mean(0))
        _statistics(norm)[1].copy_(z.var(0))
        nn.init.uniform_(norm.bias, *((-1.7, 1.7) if number == 0 else (-1.2, 1.2)))
        x = torch.relu((z - z.mean(0)) / z.std(0) + norm.bias)
    with_one = torch.cat([x, torch.ones(_HINGES, 1, **CPU_FLOATS)], dim=1)
    ridge = 0.5 * torch.eye(with_one.shape[1], **CPU_FLOATS)
    waves = _waves(places, parts.code)
    fit = torch.linalg.solve(with_one.T @ with_one + ridge, with_one.T @ waves)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    last.weight[list(parts.position)] = fit[:-1].T
    last.bias[list(parts.position)] = fit[-1]
    mean: Tensor = waves.mean(0)
    return mean


def _inside(layer: nn.Module) -> tuple[nn.Linear, nn.BatchNorm1d]:
    """The linear layer and the normalisation of one layer of an MLP."""
    linear, norm = layer.children()
    return cast("nn.Linear", linear), cast("nn.BatchNorm1d", norm)


def _statistics(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """The mean and the variance that it uses outside training."""
    return cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)


def _waves(places: Tensor, channels: int) -> Tensor:
    """(N, 2) positions -> (N, channels): cosines, then sines of waves in evenly spread directions."""
    count = channels // 2
    angles = torch.arange(count, **CPU_FLOATS) * math.pi / count + 0.1
    lengths = torch.tensor([WAVE_LENGTHS[i % len(WAVE_LENGTHS)] for i in range(count)], **CPU_FLOATS)
    phases = places @ (torch.stack([angles.cos(), angles.sin()]) * (WAVE_SHARE / lengths))
    waves: Tensor = torch.cat([phases.cos(), phases.sin()], dim=1) * CODE_LENGTH / count**0.5
    return waves


def _begin_layer(layer: Layer, cross: bool, crossed: bool, parts: _Parts) -> None:
    """Attention as the module says, and an MLP that updates the partner's code alone, once there is one."""
    attention = layer.attention
    for linear in (attention.self.query, attention.self.key, attention.self.value, attention.output.dense):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    own, partner = list(parts.position), list(parts.partner)
    cosine = [[channel] for channel in range(parts.descriptor)]
    code = CODE_LENGTH**-2
    if cross:
        sums = [list(pair) for pair in zip(own, partner, strict=True)]
        guide = GUIDE_SHARPNESS * code * crossed
        first = [(c, DESCRIPTOR_SHARPNESS[0]) for c in cosine[: parts.descriptor - parts.code]]
        first += [(s, guide) for s in sums]
        second = [(c, DESCRIPTOR_SHARPNESS[1]) for c in cosine]
    else:
        first = [([channel], NEIGHBOUR_SHARPNESS * code) for channel in own]
        second = [(c, LIKENESS_SHARPNESS) for c in cosine]
    _attend(attention, first, 0)
    _attend(attention, second, 1)
    half = parts.descriptor
    brought = [*range(half, parts.size), *range(half)]
    attention.self.value.weight[range(parts.size), brought] = 1
    order = _dealt(parts.size, attention.heads)
    attention.self.value.weight.copy_(attention.self.value.weight[order])
    attention.output.dense.weight[order, range(parts.size)] = 1
    hidden, last = layer.mlp
    for linear in (_inside(hidden)[0], cast("nn.Linear", last)):
        nn.init.zeros_(linear.bias)
    nn.init.zeros_(cast("nn.Linear", last).weight)


def _dealt(size: int, heads: int) -> list[int]:
    """Which of `size` features each channel of the heads has: half the heads share the first half of them."""
    share, half = heads // 2, size // 2
    return [start + first for start in (0, half) for head in range(share) for first in range(head, half, share)]


def _attend(attention: Attention, terms: list[tuple[list[int], float]], half: int) -> None:
    """Queries and keys alike, so that the scores are the sum over `terms` of sharpness times sums of channels squared.

    A head that shares them with others has every so manieth term, and as many times the sharpness.
    """
    query, key = attention.self.query, attention.self.key
    size = query.out_features
    share = attention.heads // 2
    root = (size / attention.heads) ** 0.5
    order = _dealt(size, attention.heads)
    for number, (channels, sharpness) in enumerate(terms):
        row = order.index(half * size // 2 + number)
        for linear in (query, key):
            linear.weight[row, channels] = (sharpness * share * root) ** 0.5


def _update_partner(layer: Layer, cross: bool, usual: Tensor, parts: _Parts) -> None:
    """The partner's code moves to the one that the message brings; what else the MLP computes, nothing reads yet.

    Pairs of hinges carry positive and negative differences through the ReLU, and their normalisation keeps them the
    size that they usually have.
    """
    hidden, last = layer.mlp
    (linear, norm), out = _inside(hidden), cast("nn.Linear", last)
    mean, variance = _statistics(norm)
    spread = (0.6 if usual.any() else 0.28) * CODE_LENGTH / parts.code**0.5
    brought = parts.size + (0 if cross else parts.code)
    for number, channel in enumerate(parts.partner):
        for sign, row in ((1.0, number), (-1.0, parts.code + number)):
            linear.weight[row] = 0
            linear.weight[row, brought + number] = sign
            linear.weight[row, channel] = -sign
            norm.weight[row] = spread
            norm.bias[row] = mean[row] = sign * usual[number]
            variance[row] = spread**2
            out.weight[channel, row] = sign * (1.0 if cross else SMOOTHING)


def _score(superglue: SuperGlue, parts: _Parts, temperature: float) -> None:
    """Scores are cosines and products of the codes' sums."""
    final = superglue.final_projection.final_proj
    nn.init.zeros_(final.bias)
    final.weight.copy_(torch.eye(parts.size, **CPU_FLOATS) * (temperature * parts.size**0.5) ** 0.5)
    for own, partner in zip(parts.position, parts.partner, strict=True):
        final.weight[partner] = 0
        final.weight[own] = 0
        final.weight[own, [own, partner]] = (temperature * GUIDE_WEIGHT * parts.size**0.5) ** 0.5 / CODE_LENGTH
    superglue.bin_score.fill_(0.6 * temperature)


def _keep_cosines(linear: nn.Linear) -> None:
    """The identity, or an orthogonal matrix: exact where channels are added, on average where they are fewer."""
    if linear.in_features == linear.out_features:
        nn.init.eye_(linear.weight)
    else:
        nn.init.orthogonal_(linear.weight, gain=max(1.0, linear.in_features / linear.out_features) ** 0.5)
    nn.init.zeros_(linear.bias)
