"""vismatch's own models ask the network for weights: a stand-in with its `BaseMatcher` serves where it is absent."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from cyano.checkpoints.loading import Networks
from cyano.errors import MissingExtraError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from support.hosts import write_vismatch


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    patch = pytest.MonkeyPatch()
    if find_spec("vismatch") is None:
        folder = tmp_path_factory.mktemp("hosts")
        write_vismatch(folder)
        patch.syspath_prepend(str(folder))
    adapter = importlib.import_module("cyano.adapters.vismatch")
    adapter.register()
    adapter.register()  # a second time changes nothing
    yield importlib.import_module("vismatch")
    patch.undo()
    for name in [each for each in sys.modules if each.split(".")[0] == "vismatch" or each == "cyano.adapters.vismatch"]:
        del sys.modules[name]


def test_without_vismatch_it_says_so() -> None:
    if find_spec("vismatch") is not None:
        pytest.skip("vismatch is installed")
    with pytest.raises(MissingExtraError, match="vismatch"):
        importlib.import_module("cyano.adapters.vismatch")


def test_it_is_one_of_the_models(host: Any, networks: Networks, tensors: list[Tensor]) -> None:
    assert host.available_models.count("cyano") == 1
    matcher = host.get_matcher("cyano", device="cpu", max_num_keypoints=200)
    assert isinstance(matcher, host.BaseMatcher)
    image0, image1 = (each[0].expand(3, -1, -1) for each in tensors[:2])
    found = matcher(image0, image1)
    expected = Matcher(networks, MatcherOptions(max_keypoints=200)).match(image0, image1)
    assert len(expected) > 50
    assert np.array_equal(found["matched_kpts0"], expected.keypoints0)
    assert np.array_equal(found["matched_kpts1"], expected.keypoints1)
    assert np.array_equal(found["matched_confidences"], expected.scores)
    assert np.array_equal(found["all_kpts0"], expected.image0.keypoints)
    assert found["all_desc1"].shape == (200, 128)


def test_other_models_are_vismatchs_own(host: Any) -> None:
    if hasattr(host, "__file__") and "hosts" not in str(host.__file__):
        pytest.skip("vismatch's own models ask the network for weights")
    assert host.get_matcher("sift-nn") == "vismatch's own sift-nn"
