"""SuperGlue prepared for inference on a CPU: same parameters, same results within rounding, less time.

What is done, and why it pays (docs/performance.md has the measurements):

- Batch normalisation folds into the linear layer before it; query, key and value are one matrix product; the
  merge of the heads folds into the MLP's first layer. Fewer and larger products.
- Both images' keypoints go through the linear layers as one matrix, without padding, whatever their counts.
- With `torch.bfloat16`, linear layers and the products of attention run in it; residual states, softmax and transport
  stay in float32, since there bfloat16 is slower on CPUs or too coarse.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.models.fast_layers import Linear, fold, folded_layer
from cyano.models.superglue import KeypointSet, Layer, SuperGlue
from cyano.models.transport import fast_transport
from cyano.native import library
from cyano.native.attention import HEAD_SIZES, attend

__all__ = ["FastSuperGlue"]


class _FastLayer:
    """One attention layer on the keypoints of both images together."""

    def __init__(self, layer: Layer, kind: str, dtype: torch.dtype) -> None:
        self.cross = kind == "cross"
        self.heads = layer.attention.heads
        qkv, hidden = folded_layer(layer)
        self.qkv = Linear(*qkv, dtype)
        self.hidden = Linear(*hidden, dtype, relu=True)
        self.update = Linear(layer.mlp[1].weight, layer.mlp[1].bias, dtype)  # type: ignore[arg-type]

    def __call__(self, both: Tensor, count0: int) -> None:
        """Replace the states by their successors.

        Args:
            both: (M + N, 2D), the states beside room for their messages, as the MLP reads them; changed in place.
            count0: M, the rows that are image 0's.
        """
        size = both.shape[1] // 2
        states, messages = both[:, :size], both[:, size:]
        qkv = self.qkv(states).float()
        if size // self.heads in HEAD_SIZES and library.target() is not None:
            attend(qkv, messages, count0, self.heads, cross=self.cross, pairs=self.qkv.dtype == torch.bfloat16)
        else:
            self._attend_by_torch(qkv, messages, count0)
        states += self.update(self.hidden(both))

    def _attend_by_torch(self, qkv: Tensor, messages: Tensor, count0: int) -> None:
        query, key, value = (part.view(len(qkv), self.heads, -1).transpose(0, 1)[None] for part in qkv.chunk(3, 1))
        heads = messages.view(len(qkv), self.heads, -1)
        first, second = slice(0, count0), slice(count0, None)
        for own, other in (first, second), (second, first):
            source = other if self.cross else own
            message = F.scaled_dot_product_attention(query[:, :, own], key[:, :, source], value[:, :, source])
            heads[own] = message[0].transpose(0, 1)


class FastSuperGlue:
    """`SuperGlue` for inference on a CPU, one pair after the other, so a batch cannot change a pair's result.

    Built from a model, whose parameters it copies: later changes of the model do not show.
    """

    def __init__(self, model: SuperGlue, dtype: torch.dtype = torch.float32) -> None:
        self.config = model.config
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            into = model.input_projection
            self._input = Linear(into.weight, into.bias, torch.float32) if isinstance(into, nn.Linear) else None
            *layers, last = model.keypoint_encoder.encoder
            self._encoder = [
                Linear(*fold(layer.linear, layer.batch_norm), torch.float32, relu=True)  # type: ignore[arg-type]
                for layer in layers
            ]
            self._encoder.append(Linear(last.weight, last.bias, torch.float32))  # type: ignore[arg-type]
            self._layers = [
                _FastLayer(layer, kind, dtype)  # type: ignore[arg-type]
                for layer, kind in zip(model.gnn.layers, self.config.gnn_layers_types, strict=True)
            ]
            final = model.final_projection.final_proj
            self._projection = Linear(final.weight, final.bias, dtype)
            self._bin_score = model.bin_score.detach().float().clone()

    @torch.inference_mode()
    def __call__(self, set0: KeypointSet, set1: KeypointSet, *, iterations: int | None = None) -> Tensor:
        """As `SuperGlue.forward`, without the padding that the masks tell of.

        Args:
            set0: M keypoints of each image 0; padding, if any, comes last.
            set1: N keypoints of each image 1, likewise.
            iterations: of the transport; None takes the configuration's.

        Returns:
            (B, M+1, N+1) float32 log assignment, finfo.min in padded places.
        """
        steps = self.config.sinkhorn_iterations if iterations is None else iterations
        pairs = zip(_images(set0), _images(set1), strict=True)
        with torch.autocast("cpu", enabled=False):
            found = [fast_transport(self._scores(a, b), self._bin_score, steps) for a, b in pairs]
        if set0.mask is None and set1.mask is None:
            return torch.stack(found)
        padded = found[0].new_full(
            (len(found), set0.scores.shape[1] + 1, set1.scores.shape[1] + 1), torch.finfo(torch.float32).min
        )
        for target, pair in zip(padded, found, strict=True):
            rows, columns = pair.shape[0] - 1, pair.shape[1] - 1
            target[:rows, :columns] = pair[:-1, :-1]
            target[:rows, -1], target[-1, :columns], target[-1, -1] = pair[:-1, -1], pair[-1, :-1], pair[-1, -1]
        return padded

    def _scores(self, set0: KeypointSet, set1: KeypointSet) -> Tensor:
        """(M, N) float32 similarities of one pair without padding."""
        count0, count1 = set0.scores.shape[1], set1.scores.shape[1]
        if count0 == 0 or count1 == 0:
            return set0.scores.new_zeros(count0, count1, dtype=torch.float32)
        return self._similarity(self._states(set0, set1), count0)

    def _states(self, set0: KeypointSet, set1: KeypointSet) -> Tensor:
        """(M + N, D) states after the graph network."""
        codes = torch.cat([_numbers(side) for side in (set0, set1)]).float()
        for layer in self._encoder:
            codes = layer(codes)
        both = codes.new_empty(len(codes), 2 * codes.shape[1])
        descriptors = torch.cat([set0.descriptors[0], set1.descriptors[0]]).float()
        states = descriptors if self._input is None else self._input(descriptors)
        torch.add(states, codes, out=both[:, : codes.shape[1]])
        for step in self._layers:
            step(both, set0.scores.shape[1])
        return both[:, : codes.shape[1]]

    def _similarity(self, x: Tensor, count0: int) -> Tensor:
        """(M + N, D) states -> (M, N) float32 scores."""
        projected = self._projection(x).float()
        similarity: Tensor = projected[:count0] @ projected[count0:].t() / projected.shape[1] ** 0.5
        return similarity


def _numbers(side: KeypointSet) -> Tensor:
    """(N, 3 + E): what the keypoint encoder reads of one image."""
    parts = (side.positions, side.scores[..., None], side.extras)
    return torch.cat([part[0] for part in parts if part is not None], dim=1)


def _images(batch: KeypointSet) -> list[KeypointSet]:
    """The images of a batch, one by one, without their padding."""
    whole = batch.scores.shape[1]
    counts = [whole] * len(batch.scores) if batch.mask is None else batch.mask.sum(1).tolist()
    parts = {name: part for name, part in batch._asdict().items() if part is not None and name != "mask"}
    return [KeypointSet(**{name: part[i, None, :n] for name, part in parts.items()}) for i, n in enumerate(counts)]
