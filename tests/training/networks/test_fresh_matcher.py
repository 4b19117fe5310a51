"""The first weights compute what their module says."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.errors import InputError
from cyano.models.superglue import KeypointSet, SuperGlueConfig, Trace
from cyano.training.networks.fresh_matcher import fresh_superglue

CONFIG = SuperGlueConfig(
    hidden_size=64,
    keypoint_encoder_sizes=(32, 64),
    gnn_layers_types=("self", "cross", "self", "cross"),
    num_attention_heads=2,
    sinkhorn_iterations=20,
)
POSITION, PARTNER = slice(32, 40), slice(40, 48)


def shuffled(count: int = 40) -> tuple[KeypointSet, KeypointSet, Tensor]:
    """The same keypoints in another order, their descriptors in the first half of the channels; and the order."""
    generator = torch.Generator().manual_seed(0)
    descriptors = F.pad(F.normalize(torch.randn(1, count, 32, generator=generator), dim=2), (0, 32))
    places, scores = torch.rand(1, count, 2, generator=generator) - 0.5, torch.rand(1, count, generator=generator)
    order = torch.randperm(count, generator=generator)
    side0 = KeypointSet(places, scores, descriptors)
    return side0, KeypointSet(places[:, order], scores[:, order], descriptors[:, order]), torch.argsort(order)


@pytest.mark.parametrize("heads", [2, 4, 8])
def test_attention_starts_at_what_is_alike(heads: int) -> None:
    set0, set1, partner = shuffled()
    trace = Trace()
    fresh_superglue(replace(CONFIG, num_attention_heads=heads), seed=3).eval().propagate(set0, set1, trace)
    near, cross = (trace.attentions[layer][0][0].detach() for layer in (0, 1))  # (heads, 40, 40)
    assert torch.equal(cross.mean(0).argmax(1), partner)
    assert float(cross.mean(0).gather(1, partner[:, None]).mean()) > 10 / 40  # the same for all would be 1 / 40
    distances = torch.cdist(set0.positions[0], set0.positions[0])
    attended = (near[: heads // 2].mean(0) * distances).sum(1).mean()
    assert float(attended) < 0.8 * float(distances.mean())  # the first heads look at what is near


def test_cross_attention_brings_the_code_of_the_partners_position() -> None:
    set0, set1, partner = shuffled()
    states: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        fresh_superglue(CONFIG, seed=3).eval().propagate(set0, set1, states=states)
    own, brought = states[1][1][0, :, POSITION], states[1][0][0, :, PARTNER]
    nearest = torch.cdist(brought, own).argmin(1)
    assert float((nearest == partner).float().mean()) > 0.9  # what is nearly as alike pulls a few away


def test_codes_of_positions_differ_more_the_farther_apart_they_are() -> None:
    encoder = fresh_superglue(CONFIG, seed=3).eval().keypoint_encoder
    line = torch.stack([torch.linspace(-0.6, 0.6, 25), torch.zeros(25)], dim=1)[None]
    with torch.no_grad():
        codes = encoder(line, torch.full((1, 25), 0.3))[-1][0]
    assert torch.equal(codes[:, :32], torch.zeros(25, 32))
    apart = [float((codes[step:] - codes[: 25 - step]).norm(dim=1).mean()) for step in (1, 3, 6)]
    assert 0 < 1.5 * apart[0] < apart[1]
    assert 1.2 * apart[1] < apart[2]


def test_scores_start_as_cosines_when_nothing_is_known_of_positions() -> None:
    set0, set1, _ = shuffled()
    superglue = fresh_superglue(CONFIG, seed=3, temperature=20).eval()
    with torch.no_grad():
        for parameter in superglue.keypoint_encoder.encoder[-1].parameters():
            parameter.zero_()
        for layer in superglue.gnn.layers:  # the mean code that the first update expects is zero now
            layer.mlp[0].batch_norm.bias.zero_()
            layer.mlp[0].batch_norm.running_mean.zero_()
        scores = superglue.similarity(*superglue.propagate(set0, set1))
    # One matrix product in float32 apart.
    assert torch.allclose(scores, 20 * set0.descriptors @ set1.descriptors.transpose(1, 2), atol=1e-4)


@pytest.mark.parametrize("changes", [{"num_attention_heads": 1}, {"hidden_size": 8}])
def test_sizes_that_cannot_begin_are_named(changes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="even number of attention heads and at least 16 channels"):
        fresh_superglue(replace(CONFIG, **changes), seed=0)
