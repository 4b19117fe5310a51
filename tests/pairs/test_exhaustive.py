from __future__ import annotations

import pytest

from cyano.errors import InputError
from cyano.pairs import exhaustive


def test_pairs_come_in_the_order_of_the_names() -> None:
    pairs = exhaustive(["c", "a", "b"])
    assert [(pair.name0, pair.name1) for pair in pairs] == [("c", "a"), ("c", "b"), ("a", "b")]


def test_every_two_names_meet_once() -> None:
    names = [f"{n}.jpg" for n in range(20)]
    met = [frozenset((pair.name0, pair.name1)) for pair in exhaustive(names)]
    assert len(met) == len(set(met)) == 20 * 19 // 2


@pytest.mark.parametrize("names", [[], ["a"]])
def test_fewer_than_two_names_make_no_pairs(names: list[str]) -> None:
    assert exhaustive(names) == []


def test_names_given_twice_are_refused() -> None:
    with pytest.raises(InputError, match=r"'a'.*positions 0 and 2"):
        exhaustive(["a", "b", "a"])
