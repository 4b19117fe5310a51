from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from cyano.models.assignment_loss import assignment_loss
from cyano.models.superglue import KeypointSet, Trace, normalize_keypoints
from support.networks import SMALL_SUPERGLUE, random_keypoints, random_superglue


def _batch(sets: list[KeypointSet]) -> KeypointSet:
    """Sets of one image each, padded with junk that must not matter."""
    counts = torch.tensor([s.scores.shape[1] for s in sets])
    mask = torch.arange(int(counts.max()))[None] < counts[:, None]

    def padded(parts: list[torch.Tensor]) -> torch.Tensor:
        return pad_sequence(parts, batch_first=True, padding_value=0.3)

    return KeypointSet(
        padded([s.positions[0] for s in sets]),
        padded([s.scores[0] for s in sets]),
        padded([s.descriptors[0] for s in sets]),
        mask,
    )


@settings(max_examples=20, deadline=None)
@given(counts=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=2, max_size=4))
def test_a_padded_batch_is_the_pairs_one_by_one(counts: list[tuple[int, int]]) -> None:
    model = random_superglue()
    pairs = [(random_keypoints(m, seed=2 * i), random_keypoints(n, seed=2 * i + 1)) for i, (m, n) in enumerate(counts)]
    with torch.no_grad():
        together = model(_batch([a for a, _ in pairs]), _batch([b for _, b in pairs]))
        for i, (set0, set1) in enumerate(pairs):
            alone = model(set0, set1)[0].exp()
            m, n = counts[i]
            # Probabilities; float32 sums in another order over a few layers.
            torch.testing.assert_close(together[i, :m, :n].exp(), alone[:-1, :-1], atol=1e-5, rtol=0)
            torch.testing.assert_close(together[i, :m, -1].exp(), alone[:-1, -1], atol=1e-5, rtol=0)


def test_states_keep_their_precision_under_autocast() -> None:
    model = random_superglue(replace(SMALL_SUPERGLUE, input_size=20))
    sets = [random_keypoints(6, 20, seed=side) for side in (0, 1)]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        states = model.propagate(*sets)
    assert {state.dtype for state in states} == {torch.float32}


def test_positions_keep_their_precision_under_autocast() -> None:
    """Keypoints that are half a pixel apart, of an image of 640, have codes of their own."""
    network = random_superglue().eval()
    positions = torch.tensor([[[0.6, 0.3], [0.6 + 0.5 / 448, 0.3]]])
    exact = network.keypoint_encoder(positions, torch.ones(1, 2))[-1]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.keypoint_encoder(positions, torch.ones(1, 2))[-1], exact)
    assert not torch.equal(exact[0, 0], exact[0, 1])


def test_an_empty_image_beside_a_full_one_stays_finite() -> None:
    model = random_superglue()
    set0 = _batch([random_keypoints(5), random_keypoints(0)])
    set1 = _batch([random_keypoints(3), random_keypoints(6)])
    with torch.no_grad():
        assert torch.isfinite(model(set0, set1)).all()


def test_swapping_the_images_transposes_the_converged_assignment() -> None:
    model = random_superglue()
    set0, set1 = random_keypoints(20, seed=1), random_keypoints(30, seed=2)
    with torch.no_grad():
        forth = model(set0, set1, iterations=2000).exp()
        back = model(set1, set0, iterations=2000).exp()
    # Rows are updated first, so only the fixed point is symmetric; float32 reaches it to about 1e-5.
    torch.testing.assert_close(forth, back.transpose(1, 2), atol=1e-4, rtol=0)


def test_order_of_keypoints_does_not_matter() -> None:
    model = random_superglue()
    set0, set1 = random_keypoints(20, seed=1), random_keypoints(30, seed=2)
    order = torch.randperm(20)
    shuffled = KeypointSet(set0.positions[:, order], set0.scores[:, order], set0.descriptors[:, order])
    with torch.no_grad():
        plain, permuted = model(set0, set1).exp(), model(shuffled, set1).exp()
    torch.testing.assert_close(plain[:, order], permuted[:, :-1], atol=1e-5, rtol=0)  # float32 sums in another order


def test_explicit_attention_of_a_trace_gives_the_same_result() -> None:
    model = random_superglue()
    set0, set1 = random_keypoints(20, seed=1), random_keypoints(30, seed=2)
    trace = Trace()
    with torch.no_grad():
        traced, plain = model(set0, set1, trace=trace), model(set0, set1)
    torch.testing.assert_close(traced, plain, atol=1e-4, rtol=0)  # float32 log-probabilities down to -30
    layers = len(model.config.gnn_layers_types)
    assert len(trace.attentions) == layers
    assert len(trace.hidden_states) == len(model.config.keypoint_encoder_sizes) + 1 + 1 + 2 * layers + 1
    self_attention, cross_attention = trace.attentions[0][0], trace.attentions[1][0]
    assert self_attention.shape == (1, 4, 20, 20)
    assert cross_attention.shape == (1, 4, 20, 30)
    torch.testing.assert_close(cross_attention.sum(-1), torch.ones(1, 4, 20))


def test_positions_are_centred_and_scaled_by_the_longer_side() -> None:
    points = torch.tensor([[500.0, 250.0], [0.0, 0.0], [1000.0, 500.0]])
    expected = torch.tensor([[0.0, 0.0], [-1 / 1.4, -0.5 / 1.4], [1 / 1.4, 0.5 / 1.4]])
    torch.testing.assert_close(normalize_keypoints(points, (500, 1000)), expected)


def test_loss_is_the_papers_sum() -> None:
    log_assignment = torch.log(torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(0)) + 0.1)
    matches0 = torch.tensor([[2, -1, -2], [-1, -1, 0]])
    matches1 = torch.tensor([[-1, -2, 0, -2, -1], [2, -1, -1, -2, -2]])
    p = log_assignment.numpy()
    first = p[0, 0, 2] + (p[0, 1, -1] + p[0, -1, 0] + p[0, -1, 4]) / 3
    second = p[1, 2, 0] + (p[1, 0, -1] + p[1, 1, -1] + p[1, -1, 1] + p[1, -1, 2]) / 4
    loss = assignment_loss(log_assignment, matches0, matches1)
    np.testing.assert_allclose(float(loss), -(first + second) / 2, rtol=1e-6)

    # Unbalanced: each keypoint the same, and a match is two of them.
    first = 2 * (2 * p[0, 0, 2] + p[0, 1, -1] + p[0, -1, 0] + p[0, -1, 4]) / 5
    second = 2 * (2 * p[1, 2, 0] + p[1, 0, -1] + p[1, 1, -1] + p[1, -1, 1] + p[1, -1, 2]) / 6
    loss = assignment_loss(log_assignment, matches0, matches1, balanced=False)
    np.testing.assert_allclose(float(loss), -(first + second) / 2, rtol=1e-6)


@pytest.mark.parametrize("balanced", [True, False])
def test_loss_of_nothing_is_zero(balanced: bool) -> None:
    ignore = torch.full((1, 3), -2)
    assert assignment_loss(torch.zeros(1, 4, 4) - 5, ignore, ignore, balanced=balanced) == 0


def test_unbalanced_the_best_scores_are_probabilities() -> None:
    """Of pairs with ten doubtful keypoints that look alike, three match: the loss is least where the score says so."""
    matches = torch.where(torch.arange(10) < 3, torch.arange(10), -1)[None]
    probabilities = torch.linspace(0.01, 0.99, 99)

    def loss(p: torch.Tensor, balanced: bool) -> float:
        log_assignment = torch.full((1, 11, 11), -9.0)
        log_assignment[0, :10, :10].fill_diagonal_(float(p.log()))
        log_assignment[0, :10, -1] = log_assignment[0, -1, :10] = (1 - p).log()
        return float(assignment_loss(log_assignment, matches, matches, balanced=balanced))

    best = {kind: float(min(probabilities, key=lambda p, kind=kind: loss(p, kind))) for kind in (True, False)}
    assert best[False] == pytest.approx(0.3)
    assert best[True] == pytest.approx(0.5)  # whatever the share is


def test_gradients_reach_every_parameter() -> None:
    model = random_superglue().train()
    matches = torch.arange(12)[None]
    loss = assignment_loss(model(random_keypoints(12, seed=1), random_keypoints(12, seed=2)), matches, matches)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # A key's bias shifts all scores of a row alike, which a softmax does not see; everything else learns.
        if not name.endswith("key.bias"):
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", ["self", "cross"])
def test_layers_look_where_they_should(kind: str) -> None:
    from dataclasses import replace

    model = random_superglue(replace(SMALL_SUPERGLUE, gnn_layers_types=(kind,) * 4))
    set0, set1 = random_keypoints(8, seed=1), random_keypoints(9, seed=2)
    other = random_keypoints(9, seed=3)
    with torch.no_grad():
        before, after = model.propagate(set0, set1)[0], model.propagate(set0, other)[0]
    assert torch.equal(before, after) == (kind == "self")
