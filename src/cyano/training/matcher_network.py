"""The matcher in the form that its stage trains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cyano.models.superglue import KeypointSet, Layer, SuperGlue, SuperGlueConfig
from cyano.models.transport import log_transport

__all__ = ["TrainableMatcher", "fresh_superglue", "residual_ends"]


def fresh_superglue(config: SuperGlueConfig, seed: int, temperature: float = 20.0) -> SuperGlue:
    """A SuperGlue to begin with: descriptor matching, which training can only improve on.

    The last layer of every residual MLP and of the keypoint encoder is zero, and the final projection a multiple of
    the identity, so that the first scores are the descriptors' cosines times `temperature`, and the dustbins take
    what has no cosine above one half.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        superglue = SuperGlue(config)
    with torch.no_grad():
        for parameter in residual_ends(superglue):
            parameter.zero_()
        final = superglue.final_projection.final_proj
        size = config.hidden_size
        final.weight.copy_(torch.eye(size) * (temperature * size**0.5) ** 0.5)
        final.bias.zero_()
        superglue.bin_score.fill_(temperature / 2)
    return superglue


def residual_ends(superglue: SuperGlue) -> list[nn.Parameter]:
    """The parameters of the last layer of the keypoint encoder and of every residual MLP."""
    ends = [superglue.keypoint_encoder.encoder[-1]]
    ends += [layer.mlp[-1] for layer in superglue.gnn.layers if isinstance(layer, Layer)]
    return [parameter for end in ends for parameter in end.parameters()]


class TrainableMatcher(nn.Module):
    """SuperGlue on tensors alone, as a wrapper for several processes needs it."""

    def __init__(self, superglue: SuperGlue, iterations: int) -> None:
        super().__init__()
        self.superglue = superglue
        self.iterations = iterations

    def forward(self, side0: tuple[Tensor, ...], side1: tuple[Tensor, ...]) -> Tensor:
        """(positions, scores, descriptors) of both sides -> (B, M+1, N+1) log assignment, float32."""
        x0, x1 = self.superglue.propagate(KeypointSet(*side0), KeypointSet(*side1))
        scores = self.superglue.similarity(x0, x1).float()
        with torch.autocast(scores.device.type, enabled=False):
            return log_transport(scores, self.superglue.bin_score, self.iterations)
