"""Wider networks begin as the narrow ones and learn with all that is new."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cyano.errors import InputError
from cyano.models.superglue import KeypointSet, SuperGlue, SuperGlueConfig
from cyano.models.superpoint import SuperPoint, SuperPointConfig
from cyano.training.networks.width_growth import NEW_SCORE, widened_detector, widened_superglue

NARROW = SuperGlueConfig(
    hidden_size=16,
    keypoint_encoder_sizes=(8, 16),
    gnn_layers_types=("self", "cross") * 2,
    num_attention_heads=2,
)
WIDE = replace(NARROW, hidden_size=40, num_attention_heads=5)


def trained_like() -> SuperGlue:
    """Weights of which none is 0 or 1."""
    torch.manual_seed(0)
    superglue = SuperGlue(NARROW)
    for tensor in superglue.state_dict().values():
        if tensor.is_floating_point() and tensor.ndim:
            tensor.copy_(torch.rand_like(tensor) + 0.1 if tensor.ndim == 1 else torch.randn_like(tensor) * 0.2)
    return superglue


def sides(channels: int) -> tuple[KeypointSet, KeypointSet]:
    generator = torch.Generator().manual_seed(1)

    def rand(*shape: int) -> Tensor:
        return torch.rand(2, *shape, generator=generator)

    made = []
    for count in (30, 20):
        descriptors = F.normalize(rand(count, NARROW.hidden_size) - 0.5, dim=2)
        wide = F.pad(descriptors, (0, channels - NARROW.hidden_size))
        made.append(KeypointSet(rand(count, 2) - 0.5, rand(count), wide))
    return made[0], made[1]


@pytest.mark.parametrize("heads", [3, 5])
def test_a_wider_matcher_begins_as_the_same_function(heads: int) -> None:
    channels = 8 * heads
    config = replace(NARROW, hidden_size=channels, num_attention_heads=heads)
    narrow = trained_like().eval()
    wide = widened_superglue(narrow, config, seed=3)
    assert not wide.training
    with torch.no_grad():
        before, after = narrow.propagate(*sides(16)), wide.propagate(*sides(channels))
        for old, new in zip(before, after, strict=True):
            assert torch.allclose(new[..., :16], old, atol=1e-5)  # sums with zeros, in another order
            assert new[..., 16:].any(dim=(0, 1)).all()
        scores = wide.similarity(*after)
        added = NEW_SCORE**2 * after[0][..., 16:] @ after[1][..., 16:].transpose(1, 2) / channels**0.5
        assert torch.allclose(scores - added, narrow.similarity(*before), atol=1e-4)
    other = widened_superglue(narrow, config, seed=4)
    assert not torch.equal(other.gnn.layers[0].mlp[0].linear.weight, wide.gnn.layers[0].mlp[0].linear.weight)  # type: ignore[union-attr,index]


def test_all_that_is_new_learns() -> None:
    wide = widened_superglue(trained_like(), WIDE, seed=3)
    assert wide.training
    optimiser = torch.optim.SGD(wide.parameters(), lr=1e-3)
    for _ in range(2):  # units whose outputs are 0 learn once these are not
        optimiser.zero_grad()
        wide(*sides(40))[:, :10, :10].diagonal(dim1=1, dim2=2).sum().backward()
        optimiser.step()
    for name, parameter in wide.named_parameters():
        if not name.endswith(("key.bias", "linear.bias")):  # softmax and normalisation take what is added to all
            assert parameter.grad is not None
            assert (parameter.grad != 0).float().mean() > 0.9, name


def test_heads_keep_their_channels() -> None:
    with pytest.raises(InputError, match="16 channels in 2 heads widens to 40 channels in 5 heads, not 4"):
        widened_superglue(trained_like(), replace(WIDE, num_attention_heads=4), seed=0)


def test_a_detector_says_the_same_with_zeros_after_it() -> None:
    torch.manual_seed(0)
    narrow = SuperPoint(
        SuperPointConfig(encoder_hidden_sizes=(4, 4, 8, 8), decoder_hidden_size=8, descriptor_decoder_dim=6)
    )
    wide = widened_detector(narrow.eval(), 10)
    assert wide.config.descriptor_decoder_dim == 10
    images = torch.rand(1, 1, 32, 40)
    with torch.no_grad():
        for old, new in zip(narrow(images), wide(images), strict=True):
            if old.shape == new.shape:
                assert torch.equal(old, new)
            else:
                assert torch.equal(new[:, :6], old)
                assert not new[:, 6:].any()
