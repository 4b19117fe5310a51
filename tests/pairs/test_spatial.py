from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cyano.errors import InputError
from cyano.pairs import Pair, spatial


def named(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.name0, pair.name1) for pair in pairs]


def twin(
    positions: np.ndarray,
    names: list[str],
    max_distance: float = np.inf,
    top_k: int = 10**9,
    directions: np.ndarray | None = None,
    max_angle: float = 180,
) -> list[tuple[str, str]]:
    """The definition, pair by pair."""
    found = set()
    for i in range(len(names)):
        ranked = []
        for j in range(len(names)):
            distance = float(np.sqrt(((positions[i] - positions[j]) ** 2).sum()))
            angle = 0.0
            if directions is not None:
                sides = np.linalg.norm(np.cross(directions[i], directions[j])), directions[i] @ directions[j]
                angle = float(np.degrees(np.arctan2(*sides)))
            if i != j and distance <= max_distance and angle <= max_angle:
                ranked.append((distance, names[j], j))
        found |= {(min(i, j), max(i, j)) for _, _, j in sorted(ranked)[:top_k]}
    return [(names[i], names[j]) for i, j in sorted(found)]


@pytest.mark.parametrize("block", [1 << 22, 100, 1])
def test_against_the_definition(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("cyano.pairs.spatial"), "_BLOCK", block)
    generator = np.random.default_rng(2)
    positions, directions = generator.normal(size=(30, 3)), generator.normal(size=(30, 3))
    names = [f"{(7 * index) % 30:02d}" for index in range(30)]
    for options in (
        {"max_distance": 0.8},
        {"top_k": 3},
        {"max_distance": 0.9, "top_k": 2},
        {"top_k": 4, "directions": directions, "max_angle": 60.0},
    ):
        assert named(spatial(positions, names, **options)) == twin(positions, names, **options)


GRID = hnp.arrays(np.float64, st.tuples(st.integers(0, 10), st.just(2)), elements=st.integers(-2, 2).map(float))


@given(GRID, st.integers(1, 4), st.data())
def test_equal_distances_go_by_name_and_the_order_does_not_matter(
    positions: np.ndarray, top_k: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(positions))))
    names = [f"{index:02d}" for index in range(len(positions))]
    found = named(spatial(positions, names, top_k=top_k))
    assert found == twin(positions, names, top_k=top_k)
    assert len({frozenset(pair) for pair in found}) == len(found)
    again = named(spatial(positions[order], [names[index] for index in order], top_k=top_k))
    assert {frozenset(pair) for pair in again} == {frozenset(pair) for pair in found}


def test_limits_are_part_of_what_they_limit() -> None:
    positions = np.array([(0.0, 0, 0), (3, 4, 0), (0, 0, 5.5)])
    assert named(spatial(positions, ["a", "b", "c"], max_distance=5)) == [("a", "b")]
    axes = np.eye(3)
    assert len(spatial(positions, ["a", "b", "c"], top_k=2, directions=axes, max_angle=90)) == 3
    assert spatial(positions, ["a", "b", "c"], top_k=2, directions=axes, max_angle=89) == []


def test_what_makes_no_sense_is_refused() -> None:
    here, names = np.zeros((2, 3)), ["a", "b"]
    for options, fact in (
        ({}, "give max_distance, top_k or both"),
        ({"top_k": 0}, "top_k"),
        ({"max_distance": -1.0}, "max_distance"),
        ({"top_k": 1, "max_angle": 20.0}, "go together"),
        ({"top_k": 1, "directions": here}, "go together"),
        ({"top_k": 1, "directions": here, "max_angle": 181.0}, "0 to 180 degrees"),
        ({"top_k": 1, "directions": np.array([(0.0, 0, 1), (0, 0, 0)]), "max_angle": 9.0}, "'b' is zero"),
    ):
        with pytest.raises(InputError, match=fact):
            spatial(here, names, **options)
    with pytest.raises(InputError, match="'a' occurs twice"):
        spatial(here, ["a", "a"], top_k=1)
    with pytest.raises(InputError, match=r"\(1, 2 or 3\), not \(2, 3\)"):
        spatial(here, ["a"], top_k=1)
    with pytest.raises(InputError, match="of 'b' are not finite"):
        spatial(np.array([(0, 0), (0, np.inf)]), names, top_k=1)
