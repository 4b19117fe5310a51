"""SuperGlue (Sarlin, DeTone, Malisiewicz, Rabinovich, arXiv:1911.11763): keypoints of two images to an assignment.

Keypoint encoder (section 3.1, eq. 2), attentional graph network (eq. 3-6), scores and optimal transport (section 3.2,
eq. 7-9). This is the readable form: batched, masked, differentiable; `cyano.models.fast_superglue` runs the same
parameters several times faster for inference, and `cyano.models.assignment_loss` is what it learns from.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.errors import InputError
from cyano.models.attention import Attention
from cyano.models.precision import full_precision
from cyano.models.transfers import upload
from cyano.models.transport import log_transport

__all__ = ["KeypointSet", "SuperGlue", "SuperGlueConfig", "Trace", "normalize_keypoints"]


@dataclass(frozen=True)
class SuperGlueConfig:
    """Sizes of the network and the rules of the assignment; names as in Hugging Face's `config.json`, but the last two.

    Attributes:
        hidden_size: D, channels of the states.
        keypoint_encoder_sizes: hidden channels of the keypoint encoder.
        gnn_layers_types: "self" or "cross" for each layer.
        num_attention_heads: attention heads; a divisor of `hidden_size`.
        sinkhorn_iterations: T of the transport.
        matching_threshold: a match needs a probability above this.
        input_size: channels of the descriptors, which a linear layer takes to D; 0 where they have D already.
        keypoint_extras: E, numbers beside position and score that the keypoint encoder reads, such as a scale.
    """

    hidden_size: int = 256
    keypoint_encoder_sizes: tuple[int, ...] = (32, 64, 128, 256)
    gnn_layers_types: tuple[str, ...] = ("self", "cross") * 9
    num_attention_heads: int = 4
    sinkhorn_iterations: int = 100
    matching_threshold: float = 0.0
    input_size: int = 0
    keypoint_extras: int = 0


class KeypointSet(NamedTuple):
    """The keypoints of one side of B pairs, padded to a common count.

    Attributes:
        positions: (B, N, 2), from `normalize_keypoints`.
        scores: (B, N), the detector's confidence.
        descriptors: (B, N, D) or, for a network with an input projection, (B, N, input size); unit length.
        mask: (B, N) bool, False for padding; None where nothing is padded.
        extras: (B, N, E), see `SuperGlueConfig`; None where E is 0.
    """

    positions: Tensor
    scores: Tensor
    descriptors: Tensor
    mask: Tensor | None = None
    extras: Tensor | None = None


@dataclass
class Trace:
    """Inner states of one forward run, in order, for those who look inside.

    Attributes:
        hidden_states: pairs (side 0, side 1) of (B, N, C): after each layer of the keypoint encoder, the graph
            network's input, then for each layer the hidden layer of its MLP and its update, at last the
            projection.
        attentions: pairs (side 0, side 1) of (B, heads, N, source N), a row for each query, one pair a layer.
    """

    hidden_states: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    attentions: list[tuple[Tensor, Tensor]] = field(default_factory=list)


def normalize_keypoints(keypoints: Tensor, sizes: Tensor | tuple[int, int]) -> Tensor:
    """Centre pixel positions on the image and scale both axes by 0.7 times its longer side.

    The scale is the one that the published weights were trained with; pixels are those of the image that the
    detector saw.

    Args:
        keypoints: (N, 2) (x, y) of one image, or (B, N, 2).
        sizes: height and width of the image, or (B, 2).
    """
    device = sizes.device if isinstance(sizes, Tensor) else "cpu"
    wide = torch.as_tensor(sizes, dtype=torch.float64, device=device)[..., None, :]
    centre, scale = (
        upload(each.to(keypoints.dtype), keypoints.device)
        for each in (wide.flip(-1) / 2, 0.7 * wide.amax(-1, keepdim=True))
    )
    return (keypoints - centre) / scale


class _LinearNormRelu(nn.Module):
    """Linear, batch normalisation over all keypoints, ReLU: a layer of the paper's MLPs."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels_in, channels_out, dtype=torch.float32)
        self.batch_norm = nn.BatchNorm1d(channels_out, dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return F.relu(self.batch_norm(x.flatten(0, -2)).view_as(x))


class KeypointEncoder(nn.Module):
    """Position, score and extras to a vector that is added to the descriptor (eq. 2): (B, N, 3 + E) -> (B, N, D)."""

    def __init__(self, hidden_sizes: tuple[int, ...], size: int, extras: int = 0) -> None:
        super().__init__()
        channels = (3 + extras, *hidden_sizes)
        layers: list[nn.Module] = [_LinearNormRelu(a, b) for a, b in pairwise(channels)]
        self.encoder = nn.ModuleList([*layers, nn.Linear(channels[-1], size, dtype=torch.float32)])

    @full_precision  # bfloat16 would move keypoints by one or two pixels
    def forward(self, positions: Tensor, scores: Tensor, extras: Tensor | None = None) -> list[Tensor]:
        """The outputs of all layers, the last one being the encoding."""
        x = torch.cat([part for part in (positions, scores[..., None], extras) if part is not None], dim=-1)
        outputs = []
        for layer in self.encoder:
            x = layer(x)
            outputs.append(x)
        return outputs


class Layer(nn.Module):
    """One layer of the graph network (eq. 3): the update of each state from its message."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(size, heads)
        self.mlp = nn.ModuleList([_LinearNormRelu(2 * size, 2 * size), nn.Linear(2 * size, size, dtype=torch.float32)])

    def forward(
        self, x: Tensor, source: Tensor, mask: Tensor | None, weights: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, M, D) states -> the MLP's hidden layer (B, M, 2D) and the update (B, M, D)."""
        message = self.attention(x, source, mask, weights)
        hidden = self.mlp[0](torch.cat([x, message], dim=-1))
        return hidden, self.mlp[1](hidden)


class _GraphNetwork(nn.Module):
    """All layers: the states of both images, each updated from its own image's or the other's."""

    def __init__(self, config: SuperGlueConfig) -> None:
        super().__init__()
        self.kinds = config.gnn_layers_types
        self.layers = nn.ModuleList(Layer(config.hidden_size, config.num_attention_heads) for _ in self.kinds)

    def extra_repr(self) -> str:
        """Its setting, as `repr` shows it."""
        return f"kinds={self.kinds}"

    def forward(
        self,
        x0: Tensor,
        x1: Tensor,
        mask0: Tensor | None,
        mask1: Tensor | None,
        trace: Trace | None = None,
        states: list[tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(B, M, D) and (B, N, D) states before and after; see `SuperGlue.propagate`."""
        if len(self.layers) != len(self.kinds):
            raise InputError(
                f"there are {len(self.layers)} attention layers and {len(self.kinds)} kinds of them; where layers are "
                "added or removed, set gnn.kinds as well"
            )
        for layer, kind in zip(self.layers, self.kinds, strict=True):
            cross = kind == "cross"
            weights: list[Tensor] | None = None if trace is None else []
            hidden0, delta0 = layer(x0, x1 if cross else x0, mask1 if cross else mask0, weights)
            hidden1, delta1 = layer(x1, x0 if cross else x1, mask0 if cross else mask1, weights)
            x0, x1 = x0 + delta0, x1 + delta1
            if states is not None:
                states.append((x0, x1))
            if trace is not None and weights is not None:
                trace.hidden_states += [(hidden0, hidden1), (delta0, delta1)]
                trace.attentions.append((weights[0], weights[1]))
        return x0, x1


class _FinalProjection(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.final_proj = nn.Linear(size, size, dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.final_proj(x)
        return projected


class SuperGlue(nn.Module):
    """Two sets of keypoints to the log of their assignment."""

    def __init__(self, config: SuperGlueConfig | None = None) -> None:
        super().__init__()
        self.config = config or SuperGlueConfig()
        size = self.config.hidden_size
        self.input_projection = (
            nn.Linear(self.config.input_size, size, dtype=torch.float32) if self.config.input_size else nn.Identity()
        )
        self.keypoint_encoder = KeypointEncoder(self.config.keypoint_encoder_sizes, size, self.config.keypoint_extras)
        self.gnn = _GraphNetwork(self.config)
        self.final_projection = _FinalProjection(size)
        self.bin_score = nn.Parameter(torch.tensor(1.0, dtype=torch.float32))

    def first_layers(self, count: int) -> SuperGlue:
        """A copy that ends after so many layers of the graph network; itself if it has no more.

        Its scores read the states of that layer. Layers bring states nearer to those of the end, so most matches are
        there before it; training with a loss at several depths makes it so. The layers that stay are copied as they
        are, with what somebody has changed in them.
        """
        kinds = self.config.gnn_layers_types
        if len(kinds) <= count:
            return self
        shallow = deepcopy(self)
        shallow.config = replace(self.config, gnn_layers_types=kinds[:count])
        del shallow.gnn.layers[count:]  # a slice would be a new list, which is in training mode
        shallow.gnn.kinds = kinds[:count]
        return shallow

    def forward(
        self,
        set0: KeypointSet,
        set1: KeypointSet,
        *,
        iterations: int | None = None,
        trace: Trace | None = None,
        count_padding: bool = False,
    ) -> Tensor:
        """Match B pairs.

        Args:
            set0: M keypoints of each image 0.
            set1: N keypoints of each image 1.
            iterations: of the transport; None takes the configuration's.
            trace: filled with the inner states, if given.
            count_padding: let padding take part in the transport, as transformers does.

        Returns:
            (B, M+1, N+1) log assignment; the last row and column are the dustbins.
        """
        x0, x1 = self.propagate(set0, set1, trace)
        scores = self.similarity(x0, x1, trace)
        steps = self.config.sinkhorn_iterations if iterations is None else iterations
        return log_transport(scores, self.bin_score, steps, set0.mask, set1.mask, count_padding=count_padding)

    def propagate(
        self,
        set0: KeypointSet,
        set1: KeypointSet,
        trace: Trace | None = None,
        states: list[tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """States (B, M, D) and (B, N, D) after the keypoint encoder and the graph network (section 3.1).

        `states` gets those after each layer, if given.
        """
        codes0 = self.keypoint_encoder(set0.positions, set0.scores, set0.extras)
        codes1 = self.keypoint_encoder(set1.positions, set1.scores, set1.extras)
        # States are sums of many small updates: under autocast they keep the descriptors' precision.
        x0 = self.input_projection(set0.descriptors).to(set0.descriptors.dtype) + codes0[-1]
        x1 = self.input_projection(set1.descriptors).to(set1.descriptors.dtype) + codes1[-1]
        if trace is not None:
            trace.hidden_states += [*zip(codes0, codes1, strict=True), (x0, x1)]
        propagated: tuple[Tensor, Tensor] = self.gnn(x0, x1, set0.mask, set1.mask, trace, states)
        return propagated

    def similarity(self, x0: Tensor, x1: Tensor, trace: Trace | None = None) -> Tensor:
        """(B, M, N) scores of all pairs of keypoints (eq. 7), over the root of the number of channels."""
        projected0, projected1 = self.final_projection(x0), self.final_projection(x1)
        if trace is not None:
            trace.hidden_states.append((projected0, projected1))
        similarity: Tensor = projected0 @ projected1.transpose(1, 2) / projected0.shape[-1] ** 0.5
        return similarity
