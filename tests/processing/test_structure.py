"""The picture's own structure: exact places, the same from any view, and nothing along edges or in noise."""

import numpy as np
import pytest
import torch

from cyano.models.superpoint import SuperPointConfig
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import pick_keypoints, refine_summits
from cyano.processing.structure import LEAST, SIGMA, STRONG, find_structure, hessian_response, structured_scores


def blobs(places: list[tuple[float, float]], width: float = 2.0, height: int = 80, side: int = 96) -> torch.Tensor:
    y, x = np.mgrid[:height, :side]
    picture = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * width**2)) for a, b in places)
    return torch.from_numpy(0.2 + 0.5 * np.asarray(picture, dtype=np.float32))[None, None]


def test_the_response_of_a_gaussian_blob_is_the_closed_form() -> None:
    width = 2.0
    centre = hessian_response(blobs([(40, 30)], width))[0, 30, 40]
    # A blob of variance w^2 blurred by s^2 has the height 0.5 w^2 / (w^2 + s^2) and, on its top, the second derivative
    # -height / (w^2 + s^2) along both axes; in units of the blur these are multiplied by s^2. Filters of four pixels'
    # reach cut off the last thousandths.
    spread = width**2 + SIGMA**2
    expected = (0.5 * width**2 / spread / spread * SIGMA**2) ** 2
    assert float(centre) == pytest.approx(expected, rel=0.02)


def test_places_are_exact_between_the_pixels() -> None:
    true = [(20.3, 30.8), (50.0, 20.5), (70.45, 60.1)]
    found = find_structure(blobs(true))[0].numpy()
    assert len(found) == 3
    distance = np.linalg.norm(found[:, None] - np.array(true), axis=2).min(axis=1)
    # The parabola through three logarithms is exact for a Gaussian, which the determinant nearly is at its summit.
    assert distance.max() < 0.03


def test_edges_planes_and_weak_noise_have_no_structure() -> None:
    edge = torch.full((64, 80), 0.2)
    edge[:, 40:] = 0.8
    ramp = torch.linspace(0, 1, 80).expand(64, 80)
    noise = 0.5 + torch.randn(64, 80, generator=torch.Generator().manual_seed(0)) / 255
    assert [len(each) for each in find_structure(torch.stack([edge, ramp, noise])[:, None])] == [0, 0, 0]
    assert float(hessian_response(noise[None, None]).max()) > 0.01 * LEAST  # it is the threshold that decides


def test_a_dark_blob_counts_as_much_as_a_bright_one() -> None:
    picture = blobs([(40, 30)])
    assert torch.allclose(hessian_response(picture), hessian_response(1 - picture), atol=1e-7)


def test_scores_are_the_detectors_surroundings_at_the_pictures_places() -> None:
    picture = blobs([(40, 30), (60, 50)])
    response = hessian_response(picture)
    probabilities = torch.zeros(1, 80, 96)
    probabilities[0, 32, 38] = 0.6  # the detector is two pixels off
    scores = structured_scores(probabilities, response)
    assert torch.nonzero(scores[0]).tolist() == [[30, 40]]  # and says nothing of the other blob
    strength = response[0, 30, 40]
    expected = 0.6 * 64 / 11**2  # a cell's share of what 11x11 pixels hold
    assert float(scores[0, 30, 40]) == pytest.approx(float(expected * strength / (strength + STRONG)), rel=1e-5)
    assert float(structured_scores(torch.ones(1, 80, 96), response).max()) <= 1


@pytest.mark.parametrize("size", [(80, 96), (8, 24), (1, 1)])
def test_surroundings_are_means_over_what_lies_in_the_image(size: tuple[int, int]) -> None:
    probabilities = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    response = torch.ones_like(probabilities)  # all places are maxima
    pooled = torch.nn.functional.avg_pool2d(probabilities[:, None] / 64, 11, 1, 5, count_include_pad=False)[:, 0]
    expected = (pooled * 64).clamp(max=1) / (1 + STRONG)
    assert torch.allclose(structured_scores(probabilities / 64, response), expected, atol=1e-6)  # sums in another order


def test_the_rule_of_the_weights_decides() -> None:
    picture = blobs([(40.4, 30.2)])
    probabilities = torch.zeros(1, 80, 96)
    probabilities[0, 31, 42] = 0.6
    for rule, place in (("probability", (42.0, 31.0)), ("structure", (40.4, 30.2))):
        maps = keypoint_maps(probabilities, picture, SuperPointConfig(keypoint_localisation=rule))  # type: ignore[arg-type]
        keypoints, _ = pick_keypoints(maps.scores[0], 0.01)
        assert len(keypoints) == 1
        assert np.allclose(maps.refine(keypoints)[0].numpy(), place, atol=0.03)


def test_pictures_that_the_detector_crops_are_cropped_alike() -> None:
    picture = blobs([(40, 30)], side=93)
    maps = keypoint_maps(torch.full((1, 80, 88), 0.01), picture, SuperPointConfig(keypoint_localisation="structure"))
    assert maps.scores.shape == maps.response.shape == (1, 80, 88)


def test_summits_of_a_gaussian_are_exact_and_flat_ground_stays() -> None:
    y, x = np.mgrid[:9, :9]
    heat = torch.from_numpy(np.exp(-((x - 4.3) ** 2 + (y - 3.8) ** 2) / 4)).float()
    assert torch.allclose(refine_summits(heat, torch.tensor([[4.0, 4.0]])), torch.tensor([[4.3, 3.8]]), atol=1e-4)
    flat = torch.tensor([[0.0, 0.0], [8.0, 8.0]])
    assert torch.equal(refine_summits(torch.ones(9, 9), flat), flat)
