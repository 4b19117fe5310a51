from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cyano.adapters.kornia import CyanoMatcher
from cyano.checkpoints.loading import Networks
from cyano.errors import InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions


@pytest.fixture(scope="module")
def module(options: MatcherOptions) -> CyanoMatcher:
    return CyanoMatcher(options=options).eval().to("cpu")


def test_a_batch_is_its_pairs(module: CyanoMatcher, matcher: Matcher, tensors: list[Tensor]) -> None:
    """Bit for bit, one pair of the three without a match."""
    images0, images1 = torch.cat([tensors[0], tensors[3], tensors[1]]), torch.cat([tensors[1], tensors[2], tensors[2]])
    found = module({"image0": images0, "image1": images1})
    pairs = [matcher.match(a, b) for a, b in zip(images0, images1, strict=True)]
    assert [int((found["batch_indexes"] == row).sum()) for row in range(3)] == [len(pair) for pair in pairs]
    assert len(pairs[0]) > 50
    assert np.array_equal(found["keypoints0"].numpy(), np.concatenate([pair.keypoints0 for pair in pairs]))
    assert np.array_equal(found["keypoints1"].numpy(), np.concatenate([pair.keypoints1 for pair in pairs]))
    assert np.array_equal(found["confidence"].numpy(), np.concatenate([pair.scores for pair in pairs]))
    assert torch.equal(found["lafs1"][0, :, :, 2], found["keypoints1"])


def test_masks(module: CyanoMatcher, tensors: list[Tensor]) -> None:
    mask = torch.zeros(1, 1, 160, 200)
    mask[..., 100:] = 1
    found = module({"image0": tensors[0], "image1": tensors[1], "mask0": mask})
    # Keypoints move by less than a pixel after the mask was applied.
    assert found["keypoints0"][:, 0].min() > 99


def test_descriptors_with_their_frames(
    module: CyanoMatcher, networks: Networks, options: MatcherOptions, tensors: list[Tensor]
) -> None:
    (lafs1, responses1, desc1), (lafs2, responses2, desc2) = (module.extract(image) for image in tensors[:2])
    size = (160, 200)
    dists, idxs = module.match_descriptors(
        desc1[0], desc2[0], lafs1, lafs2, size, size, responses=(responses1, responses2)
    )
    expected = Matcher(networks, replace(options, align=False)).match(tensors[0][0], tensors[1][0])
    assert np.array_equal(idxs.numpy(), expected.indices)
    assert np.array_equal(dists[:, 0].numpy(), 1 - expected.scores)


def test_wrong_input(module: CyanoMatcher, tensors: list[Tensor]) -> None:
    with pytest.raises(InputError, match="'image1' is missing"):
        module({"image0": tensors[0]})
    with pytest.raises(InputError, match="cannot be matched with"):
        module({"image0": tensors[0], "image1": torch.cat(tensors[:2])})
    with pytest.raises(InputError, match="one at a time"):
        module.extract(torch.cat(tensors[:2]))


def test_keys_and_names_are_those_of_the_installed_kornia(module: CyanoMatcher, tensors: list[Tensor]) -> None:
    feature = pytest.importorskip("kornia.feature", reason="kornia is not installed")
    theirs = feature.LocalFeatureMatcher(feature.SIFTFeature(50), feature.DescriptorMatcher("snn", 0.9))
    data = {"image0": tensors[0], "image1": tensors[1]}
    expected, found = theirs(data), module(data)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        # The number of matches is another.
        assert [size for size in found[key].shape if size != len(found["confidence"])] == [
            size for size in value.shape if size != len(expected["confidence"])
        ], key
    names = list(inspect.signature(feature.LightGlueMatcher.forward).parameters)
    assert list(inspect.signature(CyanoMatcher.match_descriptors).parameters)[: len(names)] == names
    lafs = module.extract(tensors[0])[0]
    assert torch.equal(feature.get_laf_center(lafs), lafs[..., 2])
    assert torch.allclose(feature.get_laf_scale(lafs), torch.tensor(8.0))
