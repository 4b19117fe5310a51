from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from cyano.adapters import rtabmap
from cyano.errors import InputError
from cyano.matcher import Matcher
from cyano.options import MatcherOptions


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    rtabmap._READY.clear()


def test_as_rtabmap_calls_it(pictures: list[NDArray[np.uint8]]) -> None:
    """`init` with i, f, i, i and s by place, then arrays of float32 in C order and the size as integers."""
    rtabmap.init_detector(0)
    (kpts0, words0), (kpts1, words1) = (rtabmap.detect(each) for each in pictures[:2])
    for kpts, words in ((kpts0, words0), (kpts1, words1)):
        assert kpts.shape[1] == 3
        assert kpts.dtype == words.dtype == np.float32
        assert kpts.flags.c_contiguous
        assert words.flags.c_contiguous
    rtabmap.init(words0.shape[1], 0.2, 20, 0, "indoor")
    places = [np.ascontiguousarray(kpts[:, :2]) for kpts in (kpts0, kpts1)]
    found = rtabmap.match(*places, kpts0[:, 2].copy(), kpts1[:, 2].copy(), words0, words1, 200, 160)
    assert found.dtype == np.int32
    assert found.flags.c_contiguous
    options = MatcherOptions(match_threshold=0.2, sinkhorn_iterations=20, align=False)
    expected = Matcher.from_pretrained(options=options, device="cpu").match(*pictures[:2])
    assert len(expected) > 50
    assert np.array_equal(found, expected.indices)


def test_nothing_to_match(pictures: list[NDArray[np.uint8]]) -> None:
    rtabmap.init_detector(0)
    rtabmap.init(128, 0.2, 20, 0, "")
    kpts, words = rtabmap.detect(pictures[3])
    assert kpts.shape == (0, 3)
    assert words.shape == (0, 128)
    found = rtabmap.match(kpts[:, :2], kpts[:, :2], kpts[:, 2], kpts[:, 2], words, words, 200, 160)
    assert found.shape == (0, 2)


def test_what_is_missing_is_said() -> None:
    nothing = np.zeros((0, 2), np.float32)
    with pytest.raises(InputError, match="call init_detector before detect"):
        rtabmap.detect(np.zeros((160, 200), np.uint8))
    with pytest.raises(InputError, match="call init before match"):
        rtabmap.match(nothing, nothing, nothing[:, 0], nothing[:, 0], nothing, nothing, 200, 160)
    with pytest.raises(InputError, match="128 numbers, not of 256"):
        rtabmap.init(256, 0.2, 20, 0, "indoor")
