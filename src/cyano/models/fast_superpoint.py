"""SuperPoint prepared for inference on a CPU: same parameters, same results within rounding, less time.

Where there are kernels (`cyano.native`), 3x3 convolutions are Winograd's. Otherwise torch's run channels-last, the
blocks at high resolution in horizontal strips that stay in the cache: at 480x640 the first block is bound by memory,
not by arithmetic, when done whole. Both compute in float32, since scores decide what a keypoint is and are sensitive
to rounding. docs/performance.md has the measurements.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.models.fast_layers import Conv, Linear
from cyano.models.precision import full_precision
from cyano.models.superpoint import CELL, DenseFeatures, SuperPoint
from cyano.native import library
from cyano.native.convolution import Convolution

__all__ = ["FastSuperPoint"]

STRIP_BYTES = 4 * 2**20
"""Size of a strip's activations: what two cores keep in their caches together with the weights."""


class FastSuperPoint:
    """`SuperPoint` for inference on a CPU.

    Built from a model, whose parameters it copies: later changes of the model do not show.
    """

    def __init__(self, model: SuperPoint) -> None:
        self.config = model.config
        form: type[_Convolutions] = _TorchConvolutions if library.target() is None else _NativeConvolutions
        self._convolutions = form(model)
        heads = model.keypoint_decoder.conv_score_b, model.descriptor_decoder.conv_descriptor_b
        self._score, self._descriptor = (Linear(h.weight[:, :, 0, 0], _bias(h), torch.float32) for h in heads)

    @torch.inference_mode()
    @full_precision
    def __call__(self, images: Tensor) -> DenseFeatures:
        """As `SuperPoint.forward`: (B, 1, H, W) in [0, 1] -> dense scores and descriptors, float32."""
        results = [self._one(image[0].float().contiguous()) for image in images]
        return DenseFeatures(torch.stack([r.scores for r in results]), torch.stack([r.descriptors for r in results]))

    def _one(self, image: Tensor) -> DenseFeatures:
        keypoints, descriptors = self._convolutions(image)
        rows, columns = keypoints.shape[:2]
        shares = self._score(keypoints.flatten(0, 1)).softmax(1)[:, :-1]
        scores = shares.view(rows, columns, CELL, CELL).permute(0, 2, 1, 3).reshape(rows * CELL, columns * CELL)
        described = F.normalize(self._descriptor(descriptors.flatten(0, 1)), dim=1)
        return DenseFeatures(scores, described.view(rows, columns, -1).permute(2, 0, 1))


class _Convolutions(Protocol):
    """All 3x3 convolutions: encoder, and the hidden layer of both heads."""

    def __init__(self, model: SuperPoint) -> None: ...

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(H, W) -> (Hc, Wc, C) of the keypoints' head and of the descriptors', contiguous."""
        ...


class _NativeConvolutions:
    def __init__(self, model: SuperPoint) -> None:
        self._encoder: list[Convolution] = []
        for block in model.encoder.conv_blocks:
            if self._encoder:
                self._encoder.append(Convolution(block.conv_a))  # type: ignore[arg-type]
            first = None if self._encoder else block.conv_a
            self._encoder.append(Convolution(block.conv_b, first=first, pool=bool(block.pool)))  # type: ignore[arg-type]
        self._heads = tuple(Convolution(each) for each in _hidden(model))

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self._encoder:
            image = layer(image)
        keypoints, descriptors = (layer(image) for layer in self._heads)
        return keypoints, descriptors


class _TorchConvolutions:
    def __init__(self, model: SuperPoint) -> None:
        self._blocks = [
            (Conv(block.conv_a), Conv(block.conv_b))  # type: ignore[arg-type]
            for block in model.encoder.conv_blocks
        ]
        self._heads = tuple(Conv(each) for each in _hidden(model))

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        # With one channel, channels-last and channels-first are the same, and torch would go on channels-first and
        # convert every result. A second channel, of zeros, makes the difference for next to nothing.
        x = F.pad(image[None, None], (0, 0, 0, 0, 0, 1)).contiguous(memory_format=torch.channels_last)
        for first, second in self._blocks[:-1]:
            x = _pooled_block(x, first, second)
        first, second = self._blocks[-1]
        x = second(first(x).relu_()).relu_()
        keypoints, descriptors = (head(x).relu_()[0].permute(1, 2, 0).contiguous() for head in self._heads)
        return keypoints, descriptors


def _hidden(model: SuperPoint) -> tuple[nn.Conv2d, nn.Conv2d]:
    return model.keypoint_decoder.conv_score_a, model.descriptor_decoder.conv_descriptor_a


def _bias(layer: nn.Conv2d) -> Tensor:
    return layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias


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
