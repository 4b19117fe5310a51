from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cyano.pairs import natural_order
from cyano.pairs.order import named_pairs, strongest


def test_people_count() -> None:
    counted = ["a/2.jpg", "a/10.jpg", "b1x2", "b1x10", "b02", "b2", "b10"]
    assert natural_order(counted[::-1]) == counted


def test_numbers_may_have_any_length() -> None:
    long = "9" * 5000  # more digits than int() reads
    assert natural_order([long + "1", long, "3"]) == ["3", long, long + "1"]


@given(st.lists(st.text("ab01²٣.", max_size=6), unique=True, max_size=8).flatmap(st.permutations))
def test_the_order_is_one_whatever_it_was(names: list[str]) -> None:
    assert natural_order(names) == natural_order(sorted(names))


@given(hnp.arrays(np.float32, st.integers(0, 12), elements=st.sampled_from([-np.inf, 0, 0.5, 1])), st.integers(1, 13))
def test_strongest_is_a_sort(scores: np.ndarray, count: int) -> None:
    ranked = sorted((-score, place) for place, score in enumerate(scores.tolist()) if score > -np.inf)
    assert strongest(scores, count).tolist() == [place for _, place in ranked[:count]]


def test_links_are_merged_and_ordered() -> None:
    links = np.array([(2, 0), (1, 2), (0, 2), (2, 1), (0, 1)])
    pairs = named_pairs(links, ["c", "a", "b"])
    assert [(pair.name0, pair.name1) for pair in pairs] == [("c", "a"), ("c", "b"), ("a", "b")]
    assert named_pairs(np.empty((0, 2), np.int64), []) == []
