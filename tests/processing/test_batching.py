from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cyano.errors import InputError
from cyano.processing.batching import keypoint_set, pad
from cyano.types import Features, ImageSize, ResizeMap


def _features(count: int, height: int = 100, width: int = 200) -> Features:
    generator = torch.Generator().manual_seed(count)
    size = ImageSize(height, width)
    keypoints = torch.rand(count, 2, generator=generator) * torch.tensor([width - 1, height - 1])
    scores = torch.rand(count, generator=generator)
    descriptors = torch.randn(count, 4, generator=generator)
    return Features(keypoints, scores, descriptors, ResizeMap(size, ImageSize(height // 2, width // 2)))


@pytest.mark.parametrize("counts", [(3, 5, 1), (4, 4), (0, 2), (0, 0), (1,)])
def test_padding_keeps_what_is_real_and_masks_the_rest(counts: tuple[int, ...]) -> None:
    images = [_features(count, height=80 + 20 * i) for i, count in enumerate(counts)]
    batch = pad(images)
    most = max(counts)
    assert batch.positions.shape == (len(counts), most, 2)
    assert (batch.mask is None) == (min(counts) == most)
    for i, (image, count) in enumerate(zip(images, counts, strict=True)):
        alone = keypoint_set(image)
        assert torch.equal(batch.positions[i, :count], alone.positions[0])
        assert torch.equal(batch.scores[i, :count], alone.scores[0])
        assert torch.equal(batch.descriptors[i, :count], alone.descriptors[0])
        if batch.mask is not None:
            assert batch.mask.dtype == torch.bool
            assert batch.mask[i].tolist() == [j < count for j in range(most)]


def test_extras_come_along() -> None:
    images = [replace(_features(count), extras=torch.full((count, 2), float(count))) for count in (3, 5)]
    assert torch.equal(keypoint_set(images[0]).extras, images[0].extras[None])
    batch = pad(images)
    assert torch.equal(batch.extras[0, :3], images[0].extras)
    assert torch.equal(batch.extras[1], images[1].extras)
    assert torch.equal(images[0].to("cpu").extras, images[0].extras)
    assert pad([_features(3), _features(5)]).extras is None
    with pytest.raises(InputError, match=r"extras of 3 keypoints are \(3, E\), not \(2, 2\)"):
        replace(images[0], extras=torch.zeros(2, 2))


def test_positions_are_normalised_in_the_frame_that_the_detector_saw() -> None:
    features = _features(3, height=100, width=200)
    expected = (features.frame.to_network(features.keypoints) - torch.tensor([50.0, 25.0])) / 70.0
    torch.testing.assert_close(keypoint_set(features).positions[0], expected)
