"""Where hloc is absent, a stand-in with its `BaseModel` and `dynamic_load` serves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cyano.checkpoints.loading import Networks
from cyano.errors import InputError, MissingExtraError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from support.hosts import write_hloc


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    patch = pytest.MonkeyPatch()
    if find_spec("hloc") is None:
        folder = tmp_path_factory.mktemp("hosts")
        write_hloc(folder)
        patch.syspath_prepend(str(folder))
    module = importlib.import_module("cyano.adapters.hloc")
    module.register()
    module.register()  # a second time changes nothing
    yield module
    patch.undo()
    for name in [each for each in sys.modules if each.split(".")[0] == "hloc" or each == "cyano.adapters.hloc"]:
        del sys.modules[name]


def _load(kind: str, name: str, **conf: Any) -> Any:
    root = importlib.import_module(f"hloc.{kind}")
    made = importlib.import_module("hloc.utils.base_model").dynamic_load(root, name)
    return made({"name": name, **conf}).eval().to("cpu")


def test_without_hloc_it_says_so() -> None:
    if find_spec("hloc") is not None:
        pytest.skip("hloc is installed")
    with pytest.raises(MissingExtraError, match="hloc"):
        importlib.import_module("cyano.adapters.hloc")


def test_configurations_are_known_to_hloc(adapter: ModuleType) -> None:
    features = importlib.import_module("hloc.extract_features").confs
    matches = importlib.import_module("hloc.match_features").confs
    assert set(adapter.FEATURES) <= set(features)
    assert set(adapter.MATCHES) <= set(matches)
    assert len({each["output"] for each in adapter.FEATURES.values()}) == len(adapter.FEATURES)
    for name, conf in adapter.MATCHES.items():  # of the size that the features are made at
        assert conf["model"]["resize_max"] == adapter.FEATURES[name]["preprocessing"]["resize_max"]


def test_features_are_those_of_extract(adapter: ModuleType, matcher: Matcher, tensors: list[Tensor]) -> None:
    found = _load("extractors", "cyano", max_keypoints=200)({"image": tensors[0]})
    (expected,) = matcher.extract([tensors[0][0]])
    assert torch.equal(found["keypoints"][0], expected.keypoints)
    assert torch.equal(found["scores"][0], expected.scores)
    assert torch.equal(found["descriptors"][0], expected.descriptors.t())
    none = _load("extractors", "cyano")({"image": tensors[3]})
    assert none["keypoints"].shape == (1, 0, 2)
    assert none["descriptors"].shape == (1, 128, 0)


def test_matches_are_those_of_matcher(
    adapter: ModuleType, networks: Networks, tensors: list[Tensor], pictures: list[NDArray[np.uint8]]
) -> None:
    """The way through hloc's files: images halved, positions in pixels of the original, descriptors (1, D, N)."""
    options = MatcherOptions(resize=ResizeRule.longest(100), align=False)
    straight = Matcher(networks, options)
    data: dict[str, Tensor] = {}
    for side, features in zip("01", straight.extract(pictures[:2]), strict=True):
        data |= {f"keypoints{side}": features.keypoints[None], f"scores{side}": features.scores[None]}
        data |= {f"descriptors{side}": features.descriptors.t()[None], f"image{side}": torch.empty(1, 1, 160, 200)}
    found = _load("matchers", "cyano", resize_max=100)(data)
    expected = straight.match(*pictures[:2]).matches
    assert expected.count > 10
    assert np.array_equal(found["matches0"][0].numpy(), expected.matches0)
    assert np.array_equal(found["matching_scores0"][0].numpy(), expected.scores0)
    fewer = _load("matchers", "cyano", resize_max=100, match_threshold=0.9)(data)["matches0"][0].numpy()
    strict = Matcher(networks, replace(options, match_threshold=0.9)).match(*pictures[:2]).matches
    assert np.array_equal(fewer, strict.matches0)


def test_retrieval_finds_the_same_place(adapter: ModuleType, tensors: list[Tensor], tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn clusters the descriptors")
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photographs")
    for name in ("camera", "coins", "page"):
        Image.fromarray(getattr(data, name)()).save(tmp_path / f"{name}.png")
    path = adapter.make_codebook(tmp_path, tmp_path / "codebook.safetensors", clusters=8)
    model = _load("extractors", "cyano_vlad", codebook=path)
    vectors = [model({"image": image})["global_descriptor"][0] for image in tensors[:2]]
    other = model({"image": torch.from_numpy(data.coins()[:160, :200]).float()[None, None] / 255})["global_descriptor"][
        0
    ]
    assert vectors[0].shape == (8 * 128,)
    assert vectors[0] @ vectors[1] > vectors[0] @ other
    with pytest.raises(InputError, match="make_codebook"):
        _load("extractors", "cyano_vlad")


def test_one_image_at_a_time(adapter: ModuleType, tensors: list[Tensor]) -> None:
    with pytest.raises(InputError, match="one image at a time"):
        _load("extractors", "cyano")({"image": torch.cat(tensors[:2])})
