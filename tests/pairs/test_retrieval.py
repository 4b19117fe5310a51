from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cyano.errors import InputError
from cyano.pairs import Pair, retrieval


def named(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.name0, pair.name1) for pair in pairs]


def twin(
    descriptors: np.ndarray,
    names: list[str],
    top_k: int,
    min_score: float = -2.0,
    every: int = 1,
    exclude_within: int = 0,
) -> list[tuple[str, str]]:
    """The definition, image by image and in float64."""
    rows = descriptors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    found = set()
    for i in range(0, len(names), every):
        ranked = []
        for j in range(len(names)):
            if abs(i - j) <= exclude_within or lengths[i] == 0 or lengths[j] == 0:
                continue
            cosine = round(float(rows[i] @ rows[j] / (lengths[i] * lengths[j])), 6)
            if cosine >= min_score:
                ranked.append((-cosine, names[j], j))
        found |= {(min(i, j), max(i, j)) for _, _, j in sorted(ranked)[:top_k]}
    return [(names[i], names[j]) for i, j in sorted(found)]


NAMES = [f"{(7 * index) % 40:02d}" for index in range(40)]  # not in their own order


@pytest.mark.parametrize("block", [1 << 24, 64, 1])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_against_the_definition(dtype: type, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("cyano.pairs.retrieval")
    monkeypatch.setattr(module, "_BLOCK", block)
    descriptors = np.random.default_rng(1).normal(size=(40, 9)).astype(dtype)
    descriptors[[5, 17]] = 0  # images without features
    kept = descriptors.copy()
    for options in ({}, {"min_score": 0.25}, {"every": 3}, {"exclude_within": 4, "every": 5}):
        assert named(retrieval(descriptors, NAMES, 3, **options)) == twin(descriptors, NAMES, 3, **options)
    assert np.array_equal(descriptors, kept)


AXES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([-1.0, 0.0, 1.0])), max_size=9)


@given(AXES, st.integers(1, 9), st.sampled_from([-2.0, 0.0, 1.0]), st.randoms())
def test_equal_scores_go_by_name(axes: list[tuple[int, float]], top_k: int, least: float, random: object) -> None:
    # Directions along the axes: their cosines are exactly -1, 0 and 1, so nearly all of them are equal.
    descriptors = np.zeros((len(axes), 3), np.float32)
    for row, (axis, sign) in enumerate(axes):
        descriptors[row, axis] = sign * (row + 1)
    names = [f"{row:02d}" for row in range(len(axes))]
    random.shuffle(names)  # type: ignore[attr-defined]
    found = retrieval(descriptors, names, top_k, min_score=None if least == -2.0 else least)
    assert named(found) == twin(descriptors, names, top_k, least)


DESCRIPTORS = hnp.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.floats(-8, 8, width=16))


@given(DESCRIPTORS, st.integers(1, 5), st.data())
def test_no_image_with_itself_no_pair_twice_no_matter_the_order(
    descriptors: np.ndarray, top_k: int, data: st.DataObject
) -> None:
    names = [f"{index:02d}" for index in range(len(descriptors))]
    found = named(retrieval(descriptors, names, top_k))
    assert len({frozenset(pair) for pair in found}) == len(found)
    assert all(name0 < name1 for name0, name1 in found)
    order = data.draw(st.permutations(range(len(names))))
    again = named(retrieval(descriptors[order], [names[index] for index in order], top_k))
    assert {frozenset(pair) for pair in again} == {frozenset(pair) for pair in found}


def test_what_makes_no_sense_is_refused() -> None:
    ones = np.ones((2, 3), np.float32)
    for arguments, fact in (
        ((ones, ["a", "a"]), "'a' occurs twice"),
        ((ones, ["a"]), r"descriptors of 1 images are \(1, G\), not \(2, 3\)"),
        ((ones[0], ["a", "b", "c"]), "not"),
        ((ones * [[1], [np.nan]], ["a", "b"]), "'b' holds values that are not finite"),
        ((ones, ["a", "b"], 0), "top_k is a whole number of at least 1"),
    ):
        with pytest.raises(InputError, match=fact):
            retrieval(*arguments)
    for options, fact in (({"min_score": 1.5}, "-1 to 1"), ({"every": 0}, "every"), ({"exclude_within": -1}, "within")):
        with pytest.raises(InputError, match=fact):
            retrieval(ones, ["a", "b"], **options)
