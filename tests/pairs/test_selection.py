from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.pairs import METHOD_OPTIONS, Pair, PairOptions, choose_pairs, exhaustive, retrieval, sequential

NAMES = [f"i{index}" for index in range(12)]  # in their natural order
SHUFFLED = sorted(NAMES)[::-1]


def named(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.name0, pair.name1) for pair in pairs]


def describe(names: Sequence[str]) -> np.ndarray:
    """A circle: the sequence comes back to where it began."""
    angles = np.array([2 * np.pi * int(name[1:]) / 11.5 for name in names])
    return np.stack((np.cos(angles), np.sin(angles)), axis=1)


def test_exhaustive_and_sequential() -> None:
    assert named(choose_pairs(PairOptions(), SHUFFLED).pairs) == named(exhaustive(NAMES))
    options = PairOptions("sequential", window=2, quadratic=True)
    assert named(choose_pairs(options, SHUFFLED).pairs) == named(sequential(NAMES, 2, quadratic=True))


def test_retrieval_and_loop_closure() -> None:
    found = choose_pairs(PairOptions("retrieval", top_k=2, min_score=0.5), SHUFFLED, describe=describe)
    assert named(found.pairs) == named(retrieval(describe(NAMES), NAMES, 2, min_score=0.5))
    closed = choose_pairs(PairOptions("sequential", window=2, loop_every=11, top_k=1), SHUFFLED, describe=describe)
    assert set(named(closed.pairs)) - set(named(sequential(NAMES, 2))) == {("i0", "i11")}
    for options in (PairOptions("retrieval"), PairOptions("sequential", loop_every=5)):
        assert options.needs_descriptors
        with pytest.raises(InputError, match="give describe"):
            choose_pairs(options, NAMES)


def test_spatial(tmp_path: Path) -> None:
    poses = tmp_path / "poses.txt"
    poses.write_text("i0 0 0 0\ni1 1 0 0\ni10 3 0 0\n")
    chosen = choose_pairs(PairOptions("spatial", max_distance=2.0, poses=poses), SHUFFLED)
    assert named(chosen.pairs) == [("i0", "i1"), ("i1", "i10")]
    assert chosen.notes == [f"9 of 12 images have no position in {poses} and are in no pair: i2, i3, i4 and 6 more"]
    with pytest.raises(InputError, match="has no viewing directions"):
        choose_pairs(PairOptions("spatial", max_angle=20.0, poses=poses), NAMES)
    with pytest.raises(InputError, match="none of the 12 images has a position in EXIF"):
        choose_pairs(PairOptions("spatial"), NAMES, folder=tmp_path)
    with pytest.raises(InputError, match="give the folder"):
        choose_pairs(PairOptions("spatial"), NAMES)


def test_list(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("i3 i1\ni3 i99\n")
    chosen = choose_pairs(PairOptions("list", pair_list=path), NAMES)
    assert named(chosen.pairs) == [("i3", "i1")]
    assert chosen.notes == ["left out 1 lines that name an image that is not there: i99 (line 2)"]


def test_a_method_depends_on_its_own_options_alone() -> None:
    assert PairOptions(window=3, top_k=7).used() == {"method": "exhaustive"}
    used = PairOptions("retrieval", top_k=7).used()
    assert used == {"method": "retrieval", "top_k": 7, "min_score": None}
    assert set().union(*METHOD_OPTIONS.values()) | {"method"} == set(PairOptions.__dataclass_fields__)


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"method": "near"}, "exhaustive, sequential, retrieval, spatial, list, not 'near'"),
        ({"method": "list"}, "give pair_list"),
        ({"method": "spatial", "max_angle": 9.0}, "give poses"),
        ({"window": 0}, "window"),
        ({"loop_every": -1}, "loop_every"),
        ({"top_k": 0}, "top_k"),
        ({"min_score": 2.0}, "min_score"),
        ({"max_distance": float("nan")}, "max_distance"),
        ({"max_angle": 200.0}, "max_angle"),
    ],
)
def test_options_are_checked_before_anything_runs(options: dict[str, object], fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        PairOptions(**options)  # type: ignore[arg-type]
