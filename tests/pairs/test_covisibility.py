"""Pairs by common points, against counting set by set."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.pairs import covisible


def test_pairs_are_those_that_share_most_points() -> None:
    rng = np.random.default_rng(0)
    names = [f"{letter}{number}" for number in range(4) for letter in "db"]
    seen = [np.where(rng.random(60) < 0.2, -1, rng.integers(0, 80, 60)) for _ in names]  # some twice, some none
    sets = {name: set(points[points >= 0].tolist()) for name, points in zip(names, seen, strict=True)}
    wanted = set()
    for name in names:
        counts = sorted((-len(sets[name] & sets[other]), other) for other in names if other != name)
        wanted |= {frozenset((name, other)) for count, other in counts[:2] if -count >= 12}
    found = covisible(seen, names, top_k=2, least=12)
    assert 0 < len(wanted) < 8 * 7 / 2
    assert {frozenset((pair.name0, pair.name1)) for pair in found} == wanted
    assert [(pair.name0, pair.name1) for pair in found] == [
        pair for pair in combinations(names, 2) if frozenset(pair) in wanted
    ]


def test_images_without_points_are_in_no_pair() -> None:
    none = np.full(3, -1, np.int64)
    assert covisible([none, none, np.empty(0, np.int64)], ["a", "b", "c"], least=1) == []
    assert covisible([], []) == []


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="not 1 lists"):
        covisible([np.arange(3)], ["a", "b"])
    with pytest.raises(InputError, match="top_k"):
        covisible([], [], top_k=0)
