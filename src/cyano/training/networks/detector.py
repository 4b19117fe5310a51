"""The detector in the form that its stages train: logits instead of probabilities, and a learned temperature."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cyano.models.superpoint import SuperPoint, SuperPointConfig

__all__ = ["TrainableDetector", "fresh_superpoint"]


def fresh_superpoint(config: SuperPointConfig, seed: int) -> SuperPoint:
    """A SuperPoint to begin with: small last layers, and cells that believe in "no keypoint".

    With the default bias the detector first spends hundreds of steps on learning that most cells are empty.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        superpoint = SuperPoint(config)
    with torch.no_grad():
        head = superpoint.keypoint_decoder.conv_score_b
        head.weight.mul_(0.1)
        if head.bias is not None:
            head.bias[-1] = 6.0
    return superpoint


class TrainableDetector(nn.Module):
    """SuperPoint with logits out, and the factor of the descriptors' cosines."""

    def __init__(self, superpoint: SuperPoint, *, descriptors: bool) -> None:
        """Wrap a network.

        Args:
            superpoint: trained in place.
            descriptors: whether its descriptor head takes part.
        """
        super().__init__()
        self.superpoint = superpoint.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.log_temperature = nn.Parameter(
            torch.tensor(math.log(20.0), dtype=torch.float32), requires_grad=descriptors
        )
        self.describes = descriptors
        superpoint.descriptor_decoder.requires_grad_(descriptors)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """(B, 1, H, W) -> logits (B, 65, Hc, Wc), descriptors (B, D, Hc, Wc) or None, temperature ()."""
        images = images.contiguous(memory_format=torch.channels_last)
        code = self.superpoint.encoder(images)[-1]
        maps = self.superpoint.descriptor_decoder(code).float() if self.describes else None
        return self.superpoint.keypoint_decoder(code).float(), maps, self.log_temperature.exp()
