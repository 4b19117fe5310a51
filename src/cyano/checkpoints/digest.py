"""What tells weights from others, whatever file they came in."""

from __future__ import annotations

import hashlib

from torch import nn

__all__ = ["weights_digest"]


def weights_digest(*networks: nn.Module | None) -> str:
    """SHA-256 over the names and values of all tensors of some networks, None counting as nothing.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for network in networks:
        for name, tensor in sorted(network.state_dict().items() if network is not None else ()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype};".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
