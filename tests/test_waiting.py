"""How often a batch would make a program wait for its GPU: a GPU's route, run on a CPU, with the questions counted.

A GPU works behind the program's back until the program asks for a number, and is idle until the next work comes. What
asks is a number on its way to Python, a tensor whose size depends on values, and a copy to the CPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cyano import types
from cyano.checkpoints.loading import Networks
from cyano.matcher import Matcher
from cyano.native import library
from cyano.options import MatcherOptions
from cyano.processing import alignment, patches
from cyano.processing.resize import ResizeRule
from cyano.training.run.loop import update
from cyano.training.run.schedule import Schedule
from cyano.training.stages.joint import JointOptions, JointStage
from cyano.types import Features
from support.networks import random_superglue, random_superpoint

ASKING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "linalg_inv", "linalg_solve"}


class _Questions(TorchDispatchMode):
    """Counts the operators that would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_") and any(
            isinstance(each, Tensor) and each.dtype == torch.bool for each in args[1]
        )
        if name in ASKING or by_mask:
            self.asked[name] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def _counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """The questions asked inside, copies to the CPU and lists of numbers among them."""
    with monkeypatch.context() as patch, _Questions() as questions:
        for name in ("cpu", "tolist"):
            plain = getattr(Tensor, name)

            def counting(tensor: Tensor, *arguments: Any, _plain: Any = plain, _name: str = name) -> Any:
                questions.asked[_name] += 1
                return _plain(tensor, *arguments)

            patch.setattr(Tensor, name, counting)
        yield questions.asked


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernels of a CPU, alignment moves all patches, and features are not looked at."""
    monkeypatch.setattr(types, "_is_at_hand", lambda _: False)
    monkeypatch.setattr(library, "serves", lambda *_: False)
    plain = patches.descend
    monkeypatch.setattr(alignment, "descend", lambda *arguments, asking: plain(*arguments, asking=False))


def _matcher(batch_size: int, *, align: bool) -> Matcher:
    """Modules in batches, with rules under which noise has keypoints."""
    networks = Networks(random_superpoint(), random_superglue(), "random", None)
    for network in (networks.superpoint, networks.superglue):
        next(network.children()).register_forward_hook(_nothing)
    rules = MatcherOptions(
        max_keypoints=60, keypoint_threshold=0.0, localisation="structure", align=align, resize=ResizeRule.none()
    )
    matcher = Matcher(networks, rules, batch_size=batch_size)
    matcher._detector._batch_size = batch_size  # a CPU takes one image after the other
    return matcher


def _nothing(*_: object) -> None:
    pass


def _images(count: int, size: tuple[int, int] = (64, 80)) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, size).astype(np.uint8) for _ in range(count)]


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("count", [2, 6])
def test_a_batch_of_images_is_asked_for_its_keypoints_alone(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    matcher, images = _matcher(count, align=True), _images(count)
    with _counted(monkeypatch) as asked:
        features = matcher.extract(images)
    assert min(len(each) for each in features) == 60
    assert asked == {"nonzero": 1, "tolist": 1}


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("count", [2, 5])
def test_a_batch_of_pairs_is_asked_for_its_matches_and_keypoints(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """And with alignment each pair for what moved."""
    for align in (False, True):
        matcher = _matcher(count, align=align)
        features = matcher.extract(_images(count + 1))
        pairs = list(pairwise(features))
        with _counted(monkeypatch) as asked:
            results = matcher.match_features(pairs)
        assert min(result.matches.count + (result.doubtful.count if result.doubtful else 0) for result in results) > 0
        assert asked == {"cpu": 2 + count * align}


def test_a_frame_is_looked_for_where_the_pixels_are(monkeypatch: pytest.MonkeyPatch) -> None:
    matcher, images = _matcher(2, align=False), _images(2, (96, 96))
    for image in images:
        image[:, :20] = 0
    with _counted(monkeypatch) as asked:
        features = matcher.extract(images)
    assert asked["cpu"] == 0
    assert min(float(each.keypoints[:, 0].min()) for each in features) > 30  # the frame, and 16 pixels beside it


def test_images_in_batches_have_the_features_that_they_have_alone() -> None:
    """Sizes mixed, so that batches are full and left over, and a mask in the middle."""
    images = [*_images(3), *_images(2, (96, 64)), *_images(2), *_images(1, (40, 48)), *_images(1, (96, 64))]
    masks: list[np.ndarray | None] = [None] * len(images)
    masks[1] = np.repeat([[0, 255]], [40, 40], axis=1).repeat(64, axis=0).astype(np.uint8)
    alone, together = (
        _matcher(1, align=True).extract(images, masks=masks),
        _matcher(3, align=True).extract(images, masks=masks),
    )
    assert [each.frame for each in together] == [each.frame for each in alone]
    for seen, expected in zip(together, alone, strict=True):
        _same(seen, expected)
    assert float(together[1].keypoints[:, 0].min()) > 39


def _same(seen: Features, expected: Features) -> None:
    assert len(seen) > 10
    assert torch.equal(seen.keypoints, expected.keypoints)
    # Convolutions of several images may sum in another order.
    assert torch.allclose(seen.scores, expected.scores, atol=1e-6)
    assert torch.allclose(seen.descriptors, expected.descriptors, atol=1e-5)
    assert seen.image is not None
    assert expected.image is not None
    assert torch.equal(seen.image, expected.image)


def test_patches_that_are_not_asked_come_to_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    soft = nn.functional.avg_pool2d(torch.from_numpy(rng.random((1, 1, 120, 150), np.float32)), 7, 1, 3)[0, 0]
    image0, image1 = soft, soft.roll((1, 2), (0, 1))
    image1[:, 75:] = soft.flip(1)[:, 75:]  # where nothing fits
    points0 = torch.from_numpy(rng.uniform(20, 100, (40, 2)).astype(np.float32))
    points1 = points0 + torch.from_numpy(rng.uniform(-3, 5, (40, 2)).astype(np.float32))
    monkeypatch.setattr(library, "serves", lambda *_: False)
    asked = alignment.align(image0, image1, points0, points1, torch.ones(40))
    plain = patches.descend
    monkeypatch.setattr(alignment, "descend", lambda *arguments, asking: plain(*arguments, asking=False))
    unasked = alignment.align(image0, image1, points0, points1, torch.ones(40))
    assert asked.moved.sum() > 10
    assert not asked.moved.all()
    assert torch.equal(unasked.moved, asked.moved)
    # Products of more patches at once, in another order.
    assert torch.allclose(unasked.points1, asked.points1, atol=1e-3)
    assert torch.allclose(unasked.uncertainty, asked.uncertainty, rtol=1e-2, equal_nan=True)


def test_a_step_of_training_asks_whether_its_gradient_is_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of pairs; and the joint stage for the places of all of them at once."""
    network = random_superpoint()
    schedule = Schedule(steps=9, batch_size=3, bfloat16=False)
    stage = JointStage("joint", network, None, None, JointOptions(height=32, width=40), schedule, 0)  # type: ignore[arg-type]
    groups = [{"params": list(stage.module.parameters()), "scale": 1.0}]
    optimiser = torch.optim.SGD(groups, lr=1e-3)  # Adam counts its steps on a CPU, which would count here
    rng = torch.Generator().manual_seed(0)
    points = torch.rand(3, 20, 2, generator=rng) * 30
    batch = {
        "images": torch.rand(6, 1, 32, 40, generator=rng),
        "targets": torch.full((6, 65, 4, 5), 1 / 65),
        "valid": torch.ones(6, 4, 5, dtype=torch.bool),
        "points0": points,
        "points1": points + 1,
        "used": torch.rand(3, 20, generator=rng) < 0.5,
    }
    with _counted(monkeypatch) as asked:
        figures = update(stage, stage.module, optimiser, batch, 0)
    assert figures["skipped"] == 0
    # The last one reads "skipped", which is on the CPU by then.
    assert asked == {"nonzero": 1, "tolist": 1, "cpu": 1, "_local_scalar_dense": 1}
