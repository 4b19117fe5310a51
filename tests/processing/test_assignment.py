from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cyano.models.transport import log_transport
from cyano.processing.assignment import mutual_matches
from support import twins


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), threshold=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_matches_are_the_twins(rows: int, columns: int, threshold: float, seed: int) -> None:
    scores = torch.randn(2, rows, columns, generator=torch.Generator().manual_seed(seed)).double() * 4
    log_assignment = log_transport(scores, torch.tensor(1.0), 20)
    found = mutual_matches(log_assignment, threshold)
    for i in range(2):
        matches, values = twins.mutual_matches(log_assignment[i].numpy(), threshold)
        np.testing.assert_array_equal(found.matches0[i], matches)
        np.testing.assert_allclose(found.scores0[i], values)
        backward, values1 = twins.mutual_matches(log_assignment[i].numpy().T, threshold)
        np.testing.assert_array_equal(found.matches1[i], backward)
        np.testing.assert_allclose(found.scores1[i], values1)


def test_threshold_is_strict_and_zeroes_scores() -> None:
    log_assignment = torch.log(torch.tensor([[[0.5, 0.1, 0.4], [0.1, 0.3, 0.6], [0.4, 0.6, 1.0]]]))
    found = mutual_matches(log_assignment, float(log_assignment[0, 0, 0].exp()))
    assert found.matches0.tolist() == [[-1, -1]]
    assert found.scores0.tolist() == [[0, 0]]


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (0, 0)])
def test_empty_images_have_the_usual_types(rows: int, columns: int) -> None:
    found = mutual_matches(torch.zeros(2, rows + 1, columns + 1), 0.2)
    full = mutual_matches(torch.zeros(2, 4, 5), 0.2)
    assert found.matches0.shape == found.scores0.shape == (2, rows)
    assert found.matches1.shape == found.scores1.shape == (2, columns)
    for ours, usual in zip(found, full, strict=True):
        assert ours.dtype == usual.dtype
    assert (found.matches0 == -1).all()
    assert (found.matches1 == -1).all()
