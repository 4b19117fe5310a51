"""Multi-head attention of two images' keypoints: see native/attention.cpp."""

from __future__ import annotations

from torch import Tensor

from cyano.native import library

__all__ = ["HEAD_SIZES", "attend"]

HEAD_SIZES = (32, 64, 128)
"""Channels of a head that the kernel is compiled for."""


def attend(qkv: Tensor, messages: Tensor, count0: int, heads: int, *, cross: bool, pairs: bool) -> None:
    """Write the messages of all heads, (M + N, D).

    Args:
        qkv: (M + N, 3D) float32 queries, keys and values of image 0's M keypoints and image 1's N, contiguous.
        messages: (M + N, D) float32 with contiguous rows; written.
        count0: M, at least 1 as N is.
        heads: how many; each has one of `HEAD_SIZES` channels.
        cross: attend to the other image's keypoints instead of the own ones.
        pairs: compute products in bfloat16, where the processor has instructions for it; the softmax is float32.
    """
    run = library.function("attention", "pipiiiiiiii")
    size = messages.shape[1] // heads
    # Rows of the messages lie apart, beside the states that the next layer reads with them.
    first = messages[0]
    run(
        *(qkv, qkv.stride(0), first, messages.stride(0)),
        *(count0, len(qkv) - count0, heads, size, int(cross), int(pairs), library.threads()),
    )
