"""What decides on matches does not follow `torch.autocast`, and the fast forms travel to other processes."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from cyano.models.fast_superglue import FastSuperGlue
from cyano.models.fast_superpoint import FastSuperPoint
from cyano.models.scaling_transport import scaling_transport
from cyano.models.transport import fast_transport, log_transport
from cyano.processing.alignment import align
from cyano.processing.descriptors import sample_descriptors
from cyano.processing.keypoint_maps import keypoint_maps
from cyano.processing.keypoints import pick_keypoints
from support.networks import SMALL_SUPERPOINT, random_keypoints, random_superglue, random_superpoint

HALVES = (torch.bfloat16, torch.float16)


@pytest.mark.parametrize("dtype", HALVES)
def test_the_transport_is_float32_inside_autocast(dtype: torch.dtype) -> None:
    scores, alpha = 10 * torch.randn(2, 7, 5), torch.tensor(1.0)
    mask = torch.arange(7)[None] < torch.tensor([[7], [4]])
    forms = {
        "log": lambda s: log_transport(s, alpha, 20),
        "masked": lambda s: log_transport(s, alpha, 20, mask),
        "scaling": lambda s: scaling_transport(s, alpha, 20),
        "fast": lambda s: fast_transport(s[0], alpha, 20),
    }
    for name, form in forms.items():
        expected = form(scores)
        with torch.autocast("cpu", dtype):
            assert torch.equal(form(scores), expected), name
        # Scores that come in half precision are rounded already; the rest is not.
        rounded = form(scores.to(dtype))
        assert rounded.dtype == torch.float32, name
        assert torch.equal(rounded, form(scores.to(dtype).float())), name


@pytest.mark.parametrize("dtype", HALVES)
def test_the_fast_forms_do_not_follow_autocast(dtype: torch.dtype) -> None:
    images, sets = torch.rand(1, 1, 64, 80), (random_keypoints(9, seed=1), random_keypoints(12, seed=2))
    detector, matcher = random_superpoint(), random_superglue()
    dense, assignment = FastSuperPoint(detector)(images), FastSuperGlue(matcher)(*sets)
    with torch.autocast("cpu", dtype):
        for seen, expected in zip(FastSuperPoint(detector)(images), dense, strict=True):
            assert torch.equal(seen, expected)
        assert torch.equal(FastSuperGlue(matcher)(*sets), assignment)


@pytest.mark.parametrize("dtype", HALVES)
def test_keypoints_and_alignment_do_not_follow_autocast(dtype: torch.dtype) -> None:
    images = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 100, 120), 9, 1, 4)
    probabilities = torch.rand(1, 96, 120)
    rules = SMALL_SUPERPOINT.__class__(keypoint_localisation="structure")
    maps = torch.randn(16, 12, 15)

    def everything() -> list[torch.Tensor]:
        found = keypoint_maps(probabilities, images, rules)
        keypoints, scores = pick_keypoints(found.scores[0], 0.0, 30)
        keypoints = found.refine(keypoints)
        descriptors = sample_descriptors(maps, keypoints)
        moved = align(images[0, 0], images[0, 0].roll(1, 1), keypoints, keypoints + 0.7, scores)
        return [found.scores, keypoints, descriptors, moved.points1]

    expected = everything()
    assert len(expected[1]) > 10
    with torch.autocast("cpu", dtype):
        for seen, wanted in zip(everything(), expected, strict=True):
            assert seen.dtype == wanted.dtype
            assert torch.equal(seen, wanted)


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda form: pickle.loads(pickle.dumps(form))])
def test_fast_forms_are_copied_and_pickled(copied: object, inference: bool) -> None:
    images, sets = torch.rand(1, 1, 64, 80), (random_keypoints(9, seed=1), random_keypoints(12, seed=2))
    with torch.inference_mode(inference):
        detector, matcher = FastSuperPoint(random_superpoint()), FastSuperGlue(random_superglue())
    for seen, expected in zip(copied(detector)(images), detector(images), strict=True):
        assert torch.equal(seen, expected)
    assert torch.equal(copied(matcher)(*sets), matcher(*sets))
