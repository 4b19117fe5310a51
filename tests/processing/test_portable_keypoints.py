"""Keypoints of the portable form against the functions that the product picks them with."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor

from cyano.export.parity import pictures
from cyano.models.superpoint import SuperPointConfig
from cyano.native import library
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import pick_keypoints
from cyano.processing.portable_keypoints import PortableKeypoints, portable_descriptors
from cyano.types import ImageSize

CONFIG = SuperPointConfig(max_keypoints=200, keypoint_threshold=1e-6)


def _maps(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture (1, 1, H, W), and probabilities (1, 8h, 8w) as a detector would give them."""
    image = torch.from_numpy(pictures(ImageSize(height, width), 0)[0])[None, None]
    noise = torch.rand(1, height // 8 * 8, width // 8 * 8)
    return image, noise**20


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("localisation", ["structure", "probability"])
@pytest.mark.parametrize("size", [(64, 80), (67, 85), (131, 40), (24, 16)])
@pytest.mark.parametrize("rules", [{}, {"border_removal_distance": 0}, {"nms_radius": 0}, {"max_keypoints": 3}])
def test_against_the_product(
    monkeypatch: pytest.MonkeyPatch,
    native: bool,
    localisation: Literal["structure", "probability"],
    size: tuple[int, int],
    rules: dict[str, int],
) -> None:
    if not native:
        monkeypatch.setattr(library, "target", lambda: None)
    config = replace(CONFIG, keypoint_localisation=localisation, **rules)  # type: ignore[arg-type]
    image, probabilities = _maps(*size)
    maps = keypoint_maps(probabilities, image, config)
    picked, scores = pick_keypoints(
        maps.scores[0], config.keypoint_threshold, config.max_keypoints, config.border_removal_distance
    )
    expected = maps.refine(picked)
    found = PortableKeypoints(config, config.max_keypoints)(image, probabilities)
    assert found.keypoints.shape == (config.max_keypoints, 2)
    assert int(found.valid.sum()) == len(expected)
    assert (found.keypoints[~found.valid] == 0).all()
    assert (found.scores[~found.valid] == 0).all()
    order = torch.argsort(scores, descending=True, stable=True)
    # Windows are summed in another order, so scores agree to rounding; places to what that makes of a parabola.
    torch.testing.assert_close(found.scores[found.valid], scores[order], atol=2e-6, rtol=0)
    apart = torch.cdist(found.keypoints[found.valid], expected, compute_mode="donot_use_mm_for_euclid_dist")
    assert float(apart.min(1).values.max()) < 0.01


def test_nothing_to_find() -> None:
    found = PortableKeypoints(replace(CONFIG, keypoint_localisation="structure"), 50)(
        torch.full((1, 1, 40, 48), 0.5), torch.zeros(1, 40, 48)
    )
    assert not found.valid.any()
    assert found.keypoints.shape == (50, 2)


@pytest.mark.parametrize("cells", [(1, 1), (2, 7), (9, 5)])
def test_descriptors(cells: tuple[int, int]) -> None:
    """Also beyond the map, where there are zeros."""
    rows, columns = cells
    dense = torch.nn.functional.normalize(torch.randn(1, 16, rows, columns), dim=1)
    keypoints = torch.rand(300, 2) * torch.tensor([8.0 * columns, 8.0 * rows]) - 0.5
    found = portable_descriptors(dense, keypoints)
    # Positions on the map are rounded differently: to 1e-6 of a cell.
    torch.testing.assert_close(found, sample_descriptors(dense[0], keypoints), atol=2e-5, rtol=0)
