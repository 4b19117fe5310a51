"""Attention between keypoints (SuperGlue, arXiv:1911.11763, section 3.1): messages, and who they come from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Attention"]


class _Projections(nn.Module):
    """Query, key and value (eq. 5): of the states that ask, and of those that answer."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(size, size, dtype=torch.float32)
        self.key = nn.Linear(size, size, dtype=torch.float32)
        self.value = nn.Linear(size, size, dtype=torch.float32)

    def forward(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(x), self.key(source), self.value(source)


class _Output(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(size, size, dtype=torch.float32)

    def forward(self, message: Tensor) -> Tensor:
        merged: Tensor = self.dense(message)
        return merged


class Attention(nn.Module):
    """Multi-head attention (eq. 4-5): the message to each keypoint from all keypoints of the source."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.self = _Projections(size)
        self.output = _Output(size)

    def extra_repr(self) -> str:
        """Its setting, as `repr` shows it."""
        return f"heads={self.heads}"

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None, weights: list[Tensor] | None) -> Tensor:
        """(B, M, D) states that ask and (B, N, D) source that answers -> (B, M, D) messages.

        The mask is (B, N) bool of the source's real keypoints; the (B, heads, M, N) attention goes to `weights`.
        """
        query, key, value = (self._split(part) for part in self.self(x, source))
        bias = None if mask is None else _attention_bias(mask, query.dtype)
        if weights is None and not _prefers_products(query):
            message = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        else:
            scores = (query / query.shape[-1] ** 0.5) @ key.transpose(-1, -2)
            probabilities = torch.softmax(scores if bias is None else scores + bias, dim=-1)
            if weights is not None:
                weights.append(probabilities)
            message = probabilities @ value
        merged: Tensor = self.output(message.transpose(1, 2).flatten(2))
        return merged

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, heads, N, D / heads); head h owns the h-th run of channels."""
        return x.view(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


def _prefers_products(query: Tensor) -> bool:
    """Whether attention written out is the faster way: in half precision on a CPU, where the fused one is not tuned.

    Forward and backward of 256 keypoints take about half the time.
    """
    return query.device.type == "cpu" and query.dtype == torch.bfloat16


def _attention_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, N) bool -> (B, 1, 1, N): 0 where real, else the smallest number (finite: an empty source stays finite)."""
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return bias.masked_fill(~mask, torch.finfo(dtype).min)[:, None, None, :]
