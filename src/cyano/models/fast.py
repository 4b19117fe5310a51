"""The same networks, prepared for inference on a CPU: same parameters, same results within rounding, less time.

What is done, and why it pays (docs/performance.md has the measurements):

- Batch normalisation folds into the linear layer before it; query, key and value are one matrix product; the
  merge of the heads folds into the MLP's first layer. Fewer and larger products.
- Convolutions run channels-last, and the blocks at high resolution run in horizontal strips that stay in the
  cache: at 480x640 the first block is bound by memory, not by arithmetic, when done whole.
- Both images' keypoints go through the linear layers as one matrix, without padding, whatever their counts.
- With `torch.bfloat16`, convolutions and linear layers run in it; residual states, attention and transport stay in
  float32, since there bfloat16 is slower on CPUs or too coarse.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.models.fast_layers import Conv, Linear, fold
from cyano.models.precision import full_precision
from cyano.models.superglue import KeypointSet, Layer, SuperGlue
from cyano.models.superpoint import DenseFeatures, SuperPoint, pixel_scores
from cyano.models.transport import fast_transport

__all__ = ["FastSuperGlue", "FastSuperPoint"]

STRIP_BYTES = 4 * 2**20
"""Size of a strip's activations: what two cores keep in their caches together with the weights."""


class FastSuperPoint:
    """`SuperPoint` for inference on a CPU.

    Built from a model, whose parameters it copies: later changes of the model do not show. Descriptors may be
    computed in another dtype than the scores, which decide what a keypoint is and are sensitive to rounding.
    """

    def __init__(
        self, model: SuperPoint, dtype: torch.dtype = torch.float32, descriptor_dtype: torch.dtype | None = None
    ) -> None:
        self.config = model.config
        self.dtype = dtype
        self.descriptor_dtype = descriptor_dtype or dtype
        self._blocks = [
            (Conv(block.conv_a, dtype), Conv(block.conv_b, dtype))  # type: ignore[arg-type]
            for block in model.encoder.conv_blocks
        ]
        keypoints, descriptors = model.keypoint_decoder, model.descriptor_decoder
        self._keypoint_head = Conv(keypoints.conv_score_a, dtype), Conv(keypoints.conv_score_b, dtype)
        self._descriptor_head = (
            Conv(descriptors.conv_descriptor_a, self.descriptor_dtype),
            Conv(descriptors.conv_descriptor_b, self.descriptor_dtype),
        )

    @torch.inference_mode()
    @full_precision
    def __call__(self, images: Tensor) -> DenseFeatures:
        """As `SuperPoint.forward`: (B, 1, H, W) in [0, 1] -> dense scores and descriptors, float32."""
        results = [self._one(image[None]) for image in images]
        return DenseFeatures(torch.cat([r.scores for r in results]), torch.cat([r.descriptors for r in results]))

    def _one(self, image: Tensor) -> DenseFeatures:
        # With one channel, channels-last and channels-first are the same, and torch would go on channels-first and
        # convert every result. A second channel, of zeros, makes the difference for next to nothing.
        x = F.pad(image.to(self.dtype), (0, 0, 0, 0, 0, 1)).contiguous(memory_format=torch.channels_last)
        for first, second in self._blocks[:-1]:
            x = _pooled_block(x, first, second)
        first, second = self._blocks[-1]
        x = second(first(x).relu_()).relu_()
        score_a, score_b = self._keypoint_head
        descriptor_a, descriptor_b = self._descriptor_head
        logits = score_b(score_a(x).relu_())
        descriptors = descriptor_b(descriptor_a(x.to(self.descriptor_dtype)).relu_()).float()
        return DenseFeatures(pixel_scores(logits), F.normalize(descriptors, dim=1))


def _pooled_block(x: Tensor, first: Conv, second: Conv) -> Tensor:
    """Convolution, ReLU, convolution, ReLU, 2x2 pooling, in strips of rows that fit the cache.

    Pooling comes before the last ReLU: both are monotonic, so the result is the same, on a quarter of the values.
    """
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2  # pooling drops an odd last row or column
    channels = len(second.weight)
    rows = max(2 * (STRIP_BYTES // (2 * channels * x.shape[3] * x.element_size())), 8)
    size = (1, channels, height // 2, width // 2)
    pooled = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        low, high = max(top - second.reach, 0), min(bottom + second.reach, x.shape[2])
        y = first.rows(x, 0, low, high, x.shape[2]).relu_()
        y = second.rows(y, low, top, bottom, x.shape[2])
        # The maximum of slices is quicker than max_pool2d, which also notes where each maximum came from.
        y = torch.maximum(y[:, :, 0::2, :width], y[:, :, 1::2, :width])
        torch.maximum(y[..., 0::2], y[..., 1::2], out=pooled[:, :, top // 2 : bottom // 2])
    return pooled.relu_()


class _FastLayer:
    """One attention layer on the keypoints of both images together."""

    def __init__(self, layer: Layer, kind: str, dtype: torch.dtype) -> None:
        attention = layer.attention
        self.cross = kind == "cross"
        self.heads = attention.heads
        projections = attention.self
        parts = (projections.query, projections.key, projections.value)
        self.qkv = Linear(torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]), dtype)
        # The MLP reads [state ; merge(message)]: the merge is linear, so it folds into the MLP's second half.
        weight, bias = fold(layer.mlp[0].linear, layer.mlp[0].batch_norm)  # type: ignore[arg-type]
        size = weight.shape[1] // 2
        merge = attention.output.dense
        folded = torch.cat([weight[:, :size], weight[:, size:] @ merge.weight.float()], dim=1)
        self.hidden = Linear(folded, bias + weight[:, size:] @ merge.bias.float(), dtype, relu=True)
        self.update = Linear(layer.mlp[1].weight, layer.mlp[1].bias, dtype)  # type: ignore[arg-type]

    def __call__(self, both: Tensor, count0: int) -> None:
        """Replace the states by their successors.

        Args:
            both: (M + N, 2D), the states beside room for their messages, as the MLP reads them; changed in place.
            count0: M, the rows that are image 0's.
        """
        size = both.shape[1] // 2
        states, messages = both[:, :size], both[:, size:].view(len(both), self.heads, -1)
        query, key, value = (
            part.view(len(both), self.heads, -1).transpose(0, 1)[None] for part in self.qkv(states).float().chunk(3, 1)
        )
        first, second = slice(0, count0), slice(count0, None)
        for own, other in (first, second), (second, first):
            source = other if self.cross else own
            message = F.scaled_dot_product_attention(query[:, :, own], key[:, :, source], value[:, :, source])
            messages[own] = message[0].transpose(0, 1)
        states += self.update(self.hidden(both))


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
    def __call__(
        self, set0: KeypointSet, set1: KeypointSet, *, iterations: int | None = None, tolerance: float = 0.0
    ) -> Tensor:
        """As `SuperGlue.forward`, without the padding that the masks tell of.

        Args:
            set0: M keypoints of each image 0; padding, if any, comes last.
            set1: N keypoints of each image 1, likewise.
            iterations: of the transport; None takes the configuration's.
            tolerance: lets the transport stop early, see `fast_transport`.

        Returns:
            (B, M+1, N+1) float32 log assignment, finfo.min in padded places.
        """
        steps = self.config.sinkhorn_iterations if iterations is None else iterations
        pairs = zip(_images(set0), _images(set1), strict=True)
        with torch.autocast("cpu", enabled=False):
            found = [fast_transport(self._scores(a, b), self._bin_score, steps, tolerance) for a, b in pairs]
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
