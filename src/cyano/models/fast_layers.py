"""The layers of the fast forms: parameters prepared once for a CPU, with what comes right before or after folded in."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyano.models.superglue import Layer

__all__ = ["Conv", "Linear", "fold", "folded_layer"]


class Conv:
    """A 3x3 convolution with stride 1 on channels-last activations, float32."""

    def __init__(self, layer: nn.Conv2d) -> None:
        weight = layer.weight.detach().float()
        if weight.shape[1] == 1:
            weight = F.pad(weight, (0, 0, 0, 0, 0, 1))  # a channel of zeros, as the image has
        self.weight = weight.clone().contiguous(memory_format=torch.channels_last)
        self.bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().float().clone()
        self.reach = layer.kernel_size[0] // 2

    def __call__(self, x: Tensor) -> Tensor:
        """(1, C, H, W) -> (1, C', H, W)."""
        return F.conv2d(x, self.weight, self.bias, padding=self.reach)

    def rows(self, x: Tensor, first: int, low: int, high: int, height: int) -> Tensor:
        """Rows [low, high) of the convolution of an image, from the rows of it that `x` holds.

        Args:
            x: (1, C, R, W), rows first, first + 1, ... of the image.
            first: the image row that x starts with.
            low: first row wanted.
            high: one past the last row wanted.
            height: rows of the whole image, beyond which there are zeros.
        """
        part = x[:, :, max(low - self.reach, 0) - first : min(high + self.reach, height) - first]
        above, below = max(self.reach - low, 0), max(high + self.reach - height, 0)
        if above or below:
            part = F.pad(part, (0, 0, above, below))
        return F.conv2d(part, self.weight, self.bias, padding=(0, self.reach))


class Linear:
    """A linear layer with an optional ReLU, through oneDNN's packed weights where this build of torch has them.

    On processors with AVX-512 that is up to 2.5 times faster than `F.linear` for float32, elsewhere as fast.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype, relu: bool = False) -> None:
        self.dtype = dtype
        self.relu = relu
        self.bias = bias.detach().to(dtype, copy=True)
        self._pack(weight.detach().to(dtype, copy=True))

    def _pack(self, weight: Tensor) -> None:
        self.packed = self.dtype == torch.float32 and _has_packed_linear()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None) if self.packed else weight

    def __getstate__(self) -> dict[str, object]:
        # Packed weights have the layout of this processor, and no storage that could be copied. Not a tensor that is
        # gone after pickling: the file descriptor that a spawned process would get it by would be another one's then.
        return {**vars(self), "weight": self.weight.to_dense().numpy() if self.packed else self.weight}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._pack(torch.from_numpy(self.weight) if self.packed else self.weight)

    def __call__(self, x: Tensor) -> Tensor:
        """(T, C) -> (T, C')."""
        x = x.to(self.dtype)
        if self.packed:
            attribute = "relu" if self.relu else "none"
            y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, attribute, [], "")
            return y
        y = F.linear(x, self.weight, self.bias)
        return y.relu_() if self.relu else y


def _has_packed_linear() -> bool:
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


def fold(linear: nn.Linear, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the linear layer that does what `linear` and then `norm` (with its statistics) do."""
    if norm.running_mean is None or norm.running_var is None:
        raise TypeError("batch normalisation without running statistics cannot be folded")
    gain = norm.weight.float() / torch.sqrt(norm.running_var.float() + norm.eps)
    bias = (linear.bias.float() - norm.running_mean.float()) * gain + norm.bias.float()
    return linear.weight.float() * gain[:, None], bias


def folded_layer(layer: Layer) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Weight and bias of the two products that a layer of SuperGlue begins with.

    Returns:
        Query, key and value as one product, (3D, D) and (3D,); and the MLP's first layer with batch normalisation and
        the merge of the heads in it, (2D, 2D) and (2D,), which reads the states beside the messages of the heads.
    """
    projections = layer.attention.self
    parts = (projections.query, projections.key, projections.value)
    weight, bias = fold(layer.mlp[0].linear, layer.mlp[0].batch_norm)  # type: ignore[arg-type]
    size, merge = weight.shape[1] // 2, layer.attention.output.dense
    # The MLP reads [state ; merge(message)]: the merge is linear, so it folds into the weight's second half.
    folded = torch.cat([weight[:, :size], weight[:, size:] @ merge.weight.float()], dim=1)
    qkv = torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts])
    return qkv, (folded, bias + weight[:, size:] @ merge.bias.float())
