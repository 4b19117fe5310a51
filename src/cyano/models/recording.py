"""Whether operations are recorded, to run on other images later."""

from __future__ import annotations

import torch

__all__ = ["is_exported", "is_recorded"]


def is_recorded() -> bool:
    """Whether `torch.jit.trace` or `torch.export` looks on: nothing may then follow from the values of an image."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing or is_exported()


def is_exported() -> bool:
    """Whether it is `torch.export`, for which not even a shape may follow from them."""
    return torch.compiler.is_exporting()
