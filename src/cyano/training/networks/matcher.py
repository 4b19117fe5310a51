"""The matcher in the form that its stage trains."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cyano.models.scaling_transport import scaling_transport
from cyano.models.superglue import KeypointSet, Layer, SuperGlue

__all__ = ["TrainableMatcher", "residual_ends", "slow_ends"]


def slow_ends(superglue: SuperGlue) -> list[nn.Parameter]:
    """The parameters that move all states at once: `residual_ends`, and the input projection if there is one."""
    return [*residual_ends(superglue), *superglue.input_projection.parameters()]


def residual_ends(superglue: SuperGlue) -> list[nn.Parameter]:
    """The parameters of the last layer of the keypoint encoder and of every residual MLP."""
    ends = [superglue.keypoint_encoder.encoder[-1]]
    ends += [layer.mlp[-1] for layer in superglue.gnn.layers if isinstance(layer, Layer)]
    return [parameter for end in ends for parameter in end.parameters()]


class TrainableMatcher(nn.Module):
    """SuperGlue in one call, as a wrapper for several processes needs it."""

    def __init__(self, superglue: SuperGlue, iterations: int, depths: Sequence[int] = ()) -> None:
        """Wrap a network.

        Args:
            superglue: trained in place.
            iterations: of the transport.
            depths: layers, counted from 1, after which an assignment is made as well.
        """
        super().__init__()
        self.superglue = superglue
        self.iterations = iterations
        self.depths = tuple(depths)

    def forward(self, set0: KeypointSet, set1: KeypointSet) -> list[Tensor]:
        """Keypoints of both sides, none padded -> (B, M+1, N+1) log assignments, float32, the last first."""
        states: list[tuple[Tensor, Tensor]] = []
        last = self.superglue.propagate(set0, set1, states=states)
        # On the way a few iterations will do: they only have to say which way is better.
        early = [self._assignment(states[depth - 1], max(self.iterations // 4, 1)) for depth in self.depths]
        return [self._assignment(last, self.iterations), *early]

    def _assignment(self, state: tuple[Tensor, Tensor], iterations: int) -> Tensor:
        scores = self.superglue.similarity(*state).float()
        with torch.autocast(scores.device.type, enabled=False):
            return scaling_transport(scores, self.superglue.bin_score, iterations)
