from __future__ import annotations

import numpy as np
import pytest
import torch

from cyano.processing.descriptors import sample_descriptors
from support import twins


@pytest.mark.parametrize(("rows", "columns"), [(5, 7), (1, 6), (6, 1), (1, 1)])
def test_sampling_is_that_of_the_reference(rows: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    maps = torch.randn(6, rows, columns, generator=generator)
    keypoints = torch.rand(50, 2, generator=generator) * torch.tensor([8 * columns - 1, 8 * rows - 1])
    keypoints[0], keypoints[1] = 0, torch.tensor([8 * columns - 1.0, 8 * rows - 1.0])  # both corners
    ours = sample_descriptors(maps, keypoints)
    assert ours.shape == (50, 6)
    # Float32 against float64: grid positions are rounded to about 1e-6 of a cell.
    np.testing.assert_allclose(ours.numpy(), twins.sample_descriptors(maps.numpy(), keypoints.numpy()), atol=2e-5)


def test_positions_shrink_as_documented() -> None:
    """Reading a linear ramp tells where keypoints are looked up: up to 3.5 px too far to the left."""
    columns = 80
    ramp = torch.stack([torch.arange(columns).float().expand(10, columns), torch.ones(10, columns)])
    x = torch.tensor([[3.5, 40.0], [8 * columns - 4.5, 40.0]])  # the centres of the first and the last cell
    sampled = sample_descriptors(ramp, x)
    first, last = (sampled[:, 0] / sampled[:, 1]).tolist()
    assert first == pytest.approx(0, abs=1e-4)
    assert last == pytest.approx((8 * columns - 8) * (columns - 1) / (8 * columns - 4.5), abs=1e-3)
    assert 8 * (79 - last) == pytest.approx(3.5, abs=0.1)


def test_descriptors_are_unit_rows_also_when_there_are_none() -> None:
    maps = torch.randn(4, 6, 8)
    assert sample_descriptors(maps, torch.zeros(0, 2)).shape == (0, 4)
    norms = sample_descriptors(maps, torch.rand(9, 2) * 30 + 8).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(9))
