from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.pairs import Pair, exhaustive, sequential


def named(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.name0, pair.name1) for pair in pairs]


def test_each_image_with_the_next_two() -> None:
    assert named(sequential(["i10", "i2", "i1", "i9"], 2)) == [
        ("i1", "i2"),
        ("i1", "i9"),
        ("i2", "i9"),
        ("i2", "i10"),
        ("i9", "i10"),
    ]


def test_the_order_given_counts_if_wanted() -> None:
    assert named(sequential(["b", "c", "a"], 1, natural=False)) == [("b", "c"), ("c", "a")]


def test_a_wide_window_is_exhaustive() -> None:
    names = ["c", "a", "b", "d"]
    assert named(sequential(names, 99, natural=False)) == named(exhaustive(names))


def test_loop_pairs_are_added_once_and_in_order() -> None:
    loop = [Pair("4", "1"), Pair("2", "1")]
    assert named(sequential("1234", 1, loop=loop)) == [("1", "2"), ("1", "4"), ("2", "3"), ("3", "4")]


@given(st.integers(0, 40), st.integers(1, 50), st.booleans())
def test_against_the_definition(count: int, window: int, quadratic: bool) -> None:
    names = [f"{index:03d}" for index in range(count)]
    steps = set(range(1, window + 1)) | ({2**power for power in range(window)} if quadratic else set())
    wanted = [(a, b) for i, a in enumerate(names) for j, b in enumerate(names) if j - i in steps]
    assert named(sequential(names[::-1], window, quadratic=quadratic)) == wanted


@pytest.mark.parametrize("names", [[], ["a"]])
def test_fewer_than_two_images_have_no_pair(names: list[str]) -> None:
    assert sequential(names, quadratic=True) == []


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="'a' occurs twice"):
        sequential(["a", "b", "a"])
    with pytest.raises(InputError, match="window is a whole number of at least 1, not 0"):
        sequential(["a", "b"], 0)
    with pytest.raises(InputError, match="'z', which is not among"):
        sequential(["a", "b"], loop=[Pair("a", "z")])
    with pytest.raises(InputError, match="'a' with itself"):
        sequential(["a", "b"], loop=[Pair("a", "a")])
