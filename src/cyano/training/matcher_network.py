"""The matcher in the form that its stage trains."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cyano.models.superglue import Attention, KeypointSet, Layer, SuperGlue, SuperGlueConfig
from cyano.models.transport import log_transport

CROSS_SHARPNESS, SELF_SHARPNESS = 10.0, 3.0
"""What cosines are multiplied by in the first attention; within an image the most alike is the keypoint itself."""

POSITION = 0.35
"""Length of the first codes of position, where descriptors have 1."""

__all__ = ["TrainableMatcher", "fresh_superglue", "residual_ends", "slow_ends"]


def fresh_superglue(config: SuperGlueConfig, seed: int, temperature: float = 20.0) -> SuperGlue:
    """A SuperGlue to begin with: descriptor matching, which training can only improve on.

    The last layer of every residual MLP is zero and the final projection a multiple of the identity, so that the first
    scores are the cosines of the states times `temperature`, and the dustbins take what has no cosine above one half.
    States are descriptors and a third as much of position. Attention is descriptor matching as well: with the usual
    small weights it would be the same for all keypoints, and its message would say nothing for thousands of steps.
    An input projection is the identity, or, between unequal sizes, orthogonal.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        superglue = SuperGlue(config)
    with torch.no_grad():
        for parameter in residual_ends(superglue):
            parameter.zero_()
        _encode_weakly(superglue.keypoint_encoder.encoder[-1])  # type: ignore[arg-type]
        for layer, kind in zip(superglue.gnn.layers, config.gnn_layers_types, strict=True):
            sharpness = CROSS_SHARPNESS if kind == "cross" else SELF_SHARPNESS
            _attend_to_alike(layer.attention, sharpness)  # type: ignore[arg-type]
        final = superglue.final_projection.final_proj
        size = config.hidden_size
        final.weight.copy_(torch.eye(size) * (temperature * size**0.5) ** 0.5)
        final.bias.zero_()
        superglue.bin_score.fill_(temperature / 2)
        into = superglue.input_projection
        if isinstance(into, nn.Linear):
            _keep_cosines(into)
    return superglue


def _encode_weakly(last: nn.Linear) -> None:
    """Codes of the length `POSITION`; what comes in are positive halves of normal numbers, of mean square 0.5."""
    nn.init.normal_(last.weight, std=POSITION / (0.5 * last.in_features * last.out_features) ** 0.5)


def _attend_to_alike(attention: Attention, sharpness: float) -> None:
    """Queries and keys alike, so that a head's score is `sharpness` times its share of the cosine; orthogonal values.

    The heads share the channels of an orthogonal matrix, and with them the cosine.
    """
    query, key, value = attention.self.query, attention.self.key, attention.self.value
    size = query.out_features
    nn.init.orthogonal_(query.weight, gain=(sharpness * attention.heads * (size / attention.heads) ** 0.5) ** 0.5)
    key.weight.copy_(query.weight)
    for linear in (value, attention.output.dense):
        nn.init.orthogonal_(linear.weight)
    for linear in (query, key, value, attention.output.dense):
        nn.init.zeros_(linear.bias)


def _keep_cosines(linear: nn.Linear) -> None:
    """The identity, or an orthogonal matrix: exact where channels are added, on average where they are fewer."""
    if linear.in_features == linear.out_features:
        nn.init.eye_(linear.weight)
    else:
        nn.init.orthogonal_(linear.weight, gain=max(1.0, linear.in_features / linear.out_features) ** 0.5)
    nn.init.zeros_(linear.bias)


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
            return log_transport(scores, self.superglue.bin_score, iterations)
