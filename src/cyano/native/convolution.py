"""3x3 convolutions with ReLU by Winograd's F(4x4, 3x3): see native/winograd.cpp."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.native import library

__all__ = ["Convolution"]


class Convolution:
    """A 3x3 convolution with padding 1, then ReLU, then 2x2 max pooling if wanted, of one image in float32.

    Rounding errors are some five times those of a direct convolution, about 1e-6 of the results' root mean square.

    Attributes:
        weight: (K, C, 3, 3).
        bias: (K,).
        first: weight (C, 1, 3, 3) and bias (C,) of a convolution with ReLU right before, whose results are made tile by
            tile; None where there is none.
        pool: whether to pool.
    """

    def __init__(self, layer: nn.Conv2d, *, first: nn.Conv2d | None = None, pool: bool = False) -> None:
        self.weight, self.bias = _parameters(layer)
        self.first = None if first is None else _parameters(first)
        self.pool = pool
        self._pack()

    def _pack(self) -> None:
        self._packed = self._taps = None
        if library.target() is None:
            return
        outputs, inputs = self.weight.shape[:2]
        self._packed = self.weight.new_empty(library.size("winograd_pack", inputs, outputs))
        library.function("winograd_pack", "piip")(self.weight, inputs, outputs, self._packed)
        if self.first is not None:
            self._taps = self.first[0].reshape(inputs, 9).t().contiguous()

    def __getstate__(self) -> dict[str, object]:
        # Packed weights have the layout of this processor's instructions.
        return {**vars(self), "_packed": None, "_taps": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._pack()

    def __call__(self, x: Tensor) -> Tensor:
        """(H, W, C), or (H, W) with a convolution before, contiguous -> (H, W, K), or (H // 2, W // 2, K) if pooled."""
        if self._packed is None:
            return self._by_torch(x)
        height, width = x.shape[:2]
        outputs, inputs = self.weight.shape[:2]
        shrunk = 2 if self.pool else 1
        y = x.new_empty(height // shrunk, width // shrunk, outputs)
        first_bias = None if self.first is None else self.first[1]
        parameters = (self._taps, first_bias, self._packed, self.bias, inputs, outputs)
        run = library.function("winograd", "piippppiiipi")
        run(x, height, width, *parameters, int(self.pool), y, library.threads())
        return y

    def _by_torch(self, x: Tensor) -> Tensor:
        """The same without the library, such as for an object that comes from a process that had one."""
        image = x[None, None] if self.first else x.permute(2, 0, 1)[None]
        if self.first:
            image = F.conv2d(image, *self.first, padding=1).relu_()
        image = F.conv2d(image, self.weight, self.bias, padding=1).relu_()
        return (F.max_pool2d(image, 2) if self.pool else image)[0].permute(1, 2, 0).contiguous()


def _parameters(layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, float32, copied."""
    weight = layer.weight.detach().to("cpu", torch.float32, copy=True).contiguous()
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().to(weight, copy=True)
    return weight, bias
