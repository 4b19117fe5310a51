"""What the geometry takes for points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cyano.errors import InputError
from cyano.geometry.checks import finite_array, points_2d

POINTS = [[0.5, 1.0], [2.0, 4.0]]


@pytest.mark.parametrize(
    "points",
    [
        POINTS,
        np.array(POINTS, np.float16),
        torch.tensor(POINTS),
        torch.tensor(POINTS, requires_grad=True),
        torch.tensor(POINTS, dtype=torch.bfloat16),
        torch.tensor(POINTS, dtype=torch.float64)[:, [1, 0]][:, [1, 0]],
    ],
)
def test_points_are_taken_from_wherever_they_are(points: Any) -> None:
    found = points_2d(points)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, POINTS)


def test_what_is_no_array_of_numbers_is_one_error() -> None:
    with pytest.raises(InputError, match="must be an array of numbers"):
        points_2d([["a", "b"]])  # type: ignore[list-item]
    with pytest.raises(InputError, match="K must have shape"):
        finite_array(torch.eye(2, requires_grad=True), (3, 3), "K")
