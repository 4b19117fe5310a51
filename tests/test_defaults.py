"""torch's defaults belong to the program: whatever they are, Cyano gives what it gives without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from cyano.hf import AutoImageProcessor, AutoModel
from cyano.matcher import Matcher
from cyano.models.assignment_loss import assignment_loss
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.training.networks.detector import TrainableDetector
from cyano.training.networks.fresh_matcher import fresh_superglue
from cyano.training.networks.matcher import TrainableMatcher
from cyano.training.stages.losses import cell_targets, detector_loss
from support.networks import SMALL_SUPERGLUE, SMALL_SUPERPOINT, random_keypoints, random_superpoint
from support.random_weights import stereo_pair

LEFT, RIGHT = stereo_pair(120, 160)
DEFAULTS = [torch.float64, torch.float16, torch.bfloat16, "meta"]


@contextmanager
def defaults(value: torch.dtype | str) -> Iterator[None]:
    """A default dtype, or a default device."""
    if isinstance(value, str):
        with torch.device(value):
            yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(value)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _matched() -> list[object]:
    options = MatcherOptions(resize=ResizeRule.longest(160), max_keypoints=100)
    matcher = Matcher.from_pretrained(options=options, device="cpu")
    result = matcher.match(LEFT, RIGHT)
    features = matcher.extract([LEFT, RIGHT])
    again = matcher.match_features([(features[0], features[1])])[0]
    assert len(result) > 30
    return [result.keypoints0, result.keypoints1, result.scores, again.keypoints1, features[0].descriptors]


def _like_transformers() -> list[object]:
    processor = AutoImageProcessor.from_pretrained(size={"height": 120, "width": 160})
    model = AutoModel.from_pretrained()
    inputs = processor([LEFT, RIGHT], return_tensors="pt")
    model.config.keypoint_detector_config.max_keypoints = 100
    with torch.no_grad():
        outputs = model(**inputs)
    readable = model(**inputs)
    result = processor.post_process_keypoint_matching(outputs, [[(120, 160), (120, 160)]])[0]
    return [outputs.matches, readable.matching_scores.detach(), *result.values()]


def _trained_matcher() -> list[object]:
    """A step of the matcher: its loss and its gradients."""
    matcher = TrainableMatcher(fresh_superglue(SMALL_SUPERGLUE, seed=1), 10, depths=(2,))
    labels = torch.from_numpy(np.tile(np.arange(9), (2, 1)))
    loss = sum(assignment_loss(each, labels, labels) for each in matcher(*SETS))
    loss.backward()
    return [loss.detach(), *(p.grad for p in matcher.parameters() if p.grad is not None)]


def _trained_detector() -> list[object]:
    """A step of the detector."""
    DETECTOR.zero_grad()
    images = torch.from_numpy(np.random.default_rng(0).random((1, 1, 32, 40), np.float32))
    corners = torch.from_numpy(np.random.default_rng(1).uniform(2, 30, (12, 2)).astype(np.float32))
    logits, _, temperature = DETECTOR(images)
    targets = cell_targets(corners, 32, 40)[None]
    loss = detector_loss(logits, targets, torch.from_numpy(np.ones((1, 4, 5), bool)))
    loss.backward()
    return [loss.detach(), temperature.detach(), *(p.grad.clone() for p in DETECTOR.parameters() if p.grad is not None)]


SETS = [random_keypoints(9, batch=2, seed=side) for side in (0, 1)]
DETECTOR = TrainableDetector(random_superpoint(SMALL_SUPERPOINT), descriptors=True)


@pytest.mark.parametrize("run", [_matched, _like_transformers, _trained_matcher, _trained_detector])
def test_defaults_change_nothing(run: Callable[[], list[object]]) -> None:
    expected = run()
    for value in DEFAULTS:
        if value == "meta" and run is _trained_matcher:
            continue  # a network that is made there has its parameters there, as all modules of torch
        with defaults(value):
            found = run()
        for seen, wanted in zip(found, expected, strict=True):
            a, b = (each.numpy() if isinstance(each, Tensor) else each for each in (seen, wanted))
            assert a.dtype == b.dtype, value
            np.testing.assert_array_equal(a, b, err_msg=str(value))
