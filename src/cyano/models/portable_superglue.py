"""SuperGlue for exported graphs: the third form, of plain operations on tensors and without decisions on their values.

It is built from the readable form (`cyano.models.superglue`) and computes the same within rounding. What it saves is
what the fast form saves: batch normalisation folds into the linear layer before it, query, key and value are one matrix
product, and the merge of the heads folds into the MLP. Keypoints have masks, so one graph serves any number of them
(docs/decisions/0025-portable-form.md).
"""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cyano.errors import InputError
from cyano.models.fast_layers import fold, folded_layer
from cyano.models.portable_transport import HIDDEN, portable_transport
from cyano.models.superglue import Layer, SuperGlue

__all__ = ["PortableMatches", "PortableSuperGlue"]


class PortableMatches(NamedTuple):
    """Matches of one pair, from both sides.

    Attributes:
        matches0: (1, M) int64, index in image 1 or -1.
        matches1: (1, N) int64, index in image 0 or -1.
        matching_scores0: (1, M) float32 probability of each match, 0 where none.
        matching_scores1: (1, N) likewise.
    """

    matches0: Tensor
    matches1: Tensor
    matching_scores0: Tensor
    matching_scores1: Tensor


class _PortableLayer(nn.Module):
    """One attention layer on the keypoints of both images."""

    def __init__(self, layer: Layer, kind: str) -> None:
        super().__init__()
        self.cross = kind == "cross"
        self.heads = layer.attention.heads
        qkv, hidden = folded_layer(layer)
        size = qkv[0].shape[1]
        gain = torch.ones_like(qkv[1])
        gain[:size] = (size // self.heads) ** -0.5  # the root that attention divides by
        self.qkv = _linear(qkv[0] * gain[:, None], qkv[1] * gain)
        self.hidden = _linear(*hidden)
        self.update = _linear(layer.mlp[1].weight, layer.mlp[1].bias)  # type: ignore[arg-type]

    def forward(self, x0: Tensor, x1: Tensor, bias0: Tensor, bias1: Tensor) -> tuple[Tensor, Tensor]:
        """(M, D) and (N, D) states -> their successors; biases (1, M) and (1, N) are added to attention scores."""
        (query0, *own0), (query1, *own1) = self._split(x0), self._split(x1)
        sources = ([*own0, bias0], [*own1, bias1])
        source0, source1 = sources[::-1] if self.cross else sources
        return self._updated(x0, query0, *source0), self._updated(x1, query1, *source1)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (heads, N, D / heads), keys (heads, D / heads, N), values (heads, N, D / heads)."""
        query, key, value = (part.view(x.shape[0], self.heads, -1) for part in self.qkv(x).chunk(3, dim=1))
        return query.transpose(0, 1), key.permute(1, 2, 0), value.transpose(0, 1)

    def _updated(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        message = torch.softmax(query @ key + bias, dim=-1) @ value
        both = torch.cat([x, message.transpose(0, 1).flatten(1)], dim=1)
        updated: Tensor = x + self.update(torch.relu(self.hidden(both)))
        return updated


class PortableSuperGlue(nn.Module):
    """Two sets of keypoints to their matches, in operations that ONNX has.

    Example:
        >>> from cyano.models.superglue import SuperGlue
        >>> portable = PortableSuperGlue(SuperGlue().eval())
    """

    match_threshold: Tensor

    def __init__(self, model: SuperGlue, match_threshold: float | None = None) -> None:
        """Copy the parameters of a model.

        Args:
            model: in evaluation mode.
            match_threshold: a match needs a probability above this; None takes the model's.

        Raises:
            InputError: the model reads more of a keypoint than its position, score and descriptor.
        """
        super().__init__()
        config = model.config
        if config.keypoint_extras or config.input_size:
            raise InputError("only matchers of SuperPoint's features can be exported, without extras and projections")
        self.iterations, self.bin_score = config.sinkhorn_iterations, float(model.bin_score.detach())
        with torch.no_grad():
            *layers, last = model.keypoint_encoder.encoder
            folded = [_linear(*fold(each.linear, each.batch_norm)) for each in layers]  # type: ignore[arg-type]
            steps = chain.from_iterable((each, nn.ReLU()) for each in folded)
            self.encoder = nn.Sequential(*steps, _linear(last.weight, last.bias))  # type: ignore[arg-type]
            kinds = config.gnn_layers_types
            self.layers = nn.ModuleList(_PortableLayer(*each) for each in zip(model.gnn.layers, kinds, strict=True))  # type: ignore[arg-type]
            final = model.final_projection.final_proj
            root = config.hidden_size**0.25  # of the channels, half of it on either side of the product
            self.projection = _linear(final.weight / root, final.bias / root)
        threshold = config.matching_threshold if match_threshold is None else match_threshold
        self.register_buffer("match_threshold", torch.tensor(threshold, dtype=torch.float32, device="cpu"))

    def forward(
        self,
        positions0: Tensor,
        scores0: Tensor,
        descriptors0: Tensor,
        valid0: Tensor,
        positions1: Tensor,
        scores1: Tensor,
        descriptors1: Tensor,
        valid1: Tensor,
    ) -> PortableMatches:
        """Match one pair.

        Args:
            positions0: (1, M, 2) float32, from `normalize_keypoints`; M at least 1.
            scores0: (1, M) float32 of the detector.
            descriptors0: (1, M, D) float32, unit length.
            valid0: (1, M) bool, False for padding.
            positions1: (1, N, 2) and so on for image 1.
            scores1: (1, N).
            descriptors1: (1, N, D).
            valid1: (1, N).
        """
        side0 = (positions0[0], scores0[0], descriptors0[0], valid0[0])
        side1 = (positions1[0], scores1[0], descriptors1[0], valid1[0])
        return self._matches(self.log_assignment(side0, side1)[:-1, :-1])

    def log_assignment(self, side0: tuple[Tensor, ...], side1: tuple[Tensor, ...]) -> Tensor:
        """(M+1, N+1) as `portable_transport` has it, of positions, scores, descriptors and `valid` of each side."""
        x0, x1 = (self._states(*side[:3]) for side in (side0, side1))
        valid0, valid1 = side0[3], side1[3]
        bias0, bias1 = (HIDDEN * (1 - valid.float())[None] for valid in (valid0, valid1))
        for layer in self.layers:
            x0, x1 = layer(x0, x1, bias0, bias1)
        similarity = self.projection(x0) @ self.projection(x1).t()
        return portable_transport(similarity, self.bin_score, self.iterations, valid0, valid1)

    def _states(self, positions: Tensor, scores: Tensor, descriptors: Tensor) -> Tensor:
        """(N, D): descriptors and what the keypoint encoder makes of positions and scores."""
        states: Tensor = descriptors + self.encoder(torch.cat([positions, scores[:, None]], dim=1))
        return states

    def _matches(self, inner: Tensor) -> PortableMatches:
        """Mutual matches above the threshold of (M, N) log probabilities, as `mutual_matches` has them."""
        best0, best1 = inner.argmax(1), inner.argmax(0)
        own0, own1 = (torch.arange(count, dtype=torch.int64, device=inner.device) for count in inner.shape)
        probable = inner.amax(1).exp()
        mutual = (best1.index_select(0, best0) == own0) & (probable > self.match_threshold)
        scores0 = torch.where(mutual, probable, 0.0)
        scores1 = torch.where(best0.index_select(0, best1) == own1, scores0.index_select(0, best1), 0.0)
        matches0 = torch.where(scores0 > 0, best0, -1)
        matches1 = torch.where(scores1 > 0, best1, -1)
        return PortableMatches(matches0[None], matches1[None], scores0[None], scores1[None])


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer with copies of these parameters."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float32)
    layer.weight = nn.Parameter(weight.detach().float().clone(), requires_grad=False)
    layer.bias = nn.Parameter(bias.detach().float().clone(), requires_grad=False)
    return layer
