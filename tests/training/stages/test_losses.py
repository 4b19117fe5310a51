"""The detector's and descriptors' losses against closed forms."""

import math

import pytest
import torch

from cyano.training.stages.losses import cell_targets, detector_loss, info_nce


def test_the_centroid_of_a_target_is_the_corner() -> None:
    corner = torch.tensor([[12.3, 10.75]])
    targets = cell_targets(corner, 24, 32)
    heat = torch.nn.functional.pixel_shuffle(targets[None, :-1], 8)[0, 0]
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    # Bilinear shares reproduce the position exactly, but for float32's rounding of a few sums.
    assert float((heat * x).sum()) == pytest.approx(12.3, abs=1e-5)
    assert float((heat * y).sum()) == pytest.approx(10.75, abs=1e-5)
    assert torch.allclose(targets.sum(0), torch.ones(3, 4))


def test_a_corner_between_cells_is_shared_and_one_outside_is_not_counted() -> None:
    targets = cell_targets(torch.tensor([[7.5, 4.0], [-3.0, 2.0], [40.0, 2.0]]), 8, 16)
    assert torch.allclose(1 - targets[-1], torch.tensor([[0.5, 0.5]]))


def test_a_crowded_cell_stays_a_distribution() -> None:
    targets = cell_targets(torch.tensor([[1.0, 1.0], [4.0, 4.0], [6.0, 2.0]]), 8, 8)
    assert torch.allclose(targets.sum(0), torch.ones(1, 1))
    assert targets[-1] == 0
    assert targets[9, 0, 0] == pytest.approx(1 / 3)  # pixel (1, 1) is class 1 * 8 + 1


def test_no_corners_are_no_keypoints() -> None:
    assert torch.equal(cell_targets(torch.zeros(0, 2), 16, 16)[-1], torch.ones(2, 2))


def test_the_detector_loss_is_the_divergence_over_valid_cells() -> None:
    targets = torch.zeros(1, 65, 1, 2)
    targets[0, 3, 0, 0] = targets[0, 64, 0, 1] = 1
    uniform = torch.zeros(1, 65, 1, 2)
    valid = torch.tensor([[[True, False]]])
    assert float(detector_loss(uniform, targets, valid)) == pytest.approx(math.log(65), rel=1e-6)
    soft = torch.softmax(torch.randn(1, 65, 1, 2, generator=torch.Generator().manual_seed(0)), 1)
    assert abs(float(detector_loss(soft.log(), soft, torch.ones(1, 1, 2, dtype=torch.bool)))) < 1e-6
    assert float(detector_loss(uniform, targets, torch.zeros(1, 1, 2, dtype=torch.bool))) == 0


def test_info_nce_of_orthogonal_descriptors() -> None:
    rows, temperature = torch.eye(4), torch.tensor(5.0)
    points = torch.arange(4.0)[:, None] * torch.tensor([[20.0, 0.0]])
    loss, right = info_nce(rows, rows, points, temperature)
    assert float(loss) == pytest.approx(-math.log(math.exp(5) / (math.exp(5) + 3)), rel=1e-5)
    assert right == 1


def test_near_points_are_no_negatives() -> None:
    rows = torch.ones(2, 4) / 2  # indistinguishable
    loss, _ = info_nce(rows, rows, torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor(5.0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
    far, _ = info_nce(rows, rows, torch.tensor([[0.0, 0.0], [30.0, 0.0]]), torch.tensor(5.0))
    assert float(far) == pytest.approx(math.log(2), rel=1e-6)


def test_info_nce_of_nothing() -> None:
    temperature = torch.tensor(5.0, requires_grad=True)
    loss, right = info_nce(torch.zeros(0, 4), torch.zeros(0, 4), torch.zeros(0, 2), temperature)
    loss.backward()
    assert float(loss.detach()) == 0
    assert float(right) == 0
