"""Reading posed sets, dividing them, and drawing photographs of other places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cyano.errors import InputError
from cyano.localisation_evaluation.folds import folds_of
from cyano.localisation_evaluation.sets import FEWEST, find_posed_sets
from support.commands import flat_image


def posed_folder(folder: Path, count: int, broken: str = "") -> Path:
    """Photographs along a line, a unit apart, looking along z."""
    (folder / "images").mkdir(parents=True)
    lines = ["# name K(9) T_world_to_camera(16)"]
    for number in range(count):
        flat_image(folder / "images" / f"{number}.png", 120, 160)
        pose = np.eye(4)
        pose[0, 3] = -number
        numbers = [100, 0, 79.5, 0, 101, 59.5, 0, 0, 1, *pose.ravel()]
        lines.append(" ".join([f"images/{number}.png", *map(str, numbers)]))
    (folder / "frames.txt").write_text("\n".join([*lines, *([broken] if broken else [])]) + "\n")
    return folder


def test_poses_and_cameras_are_read_in_the_convention_of_pixels(tmp_path: Path) -> None:
    (posed,), _ = find_posed_sets(posed_folder(tmp_path / "line", 9))
    assert (posed.name, len(posed.photographs)) == ("line", 9)
    second = posed.photographs[1]
    assert second.camera.params == (100, 101, 79.5, 59.5)
    assert (second.camera.size.width, second.camera.size.height) == (160, 120)
    np.testing.assert_array_equal(second.centre, (1, 0, 0))
    assert posed.distance == 3  # of 9 places a unit apart: 8 pairs are 1, 7 are 2, 6 are 3 apart, and 15 further


def test_each_photograph_is_a_query_once_and_never_in_its_own_map(tmp_path: Path) -> None:
    (posed,), _ = find_posed_sets(posed_folder(tmp_path / "line", 9))
    folds = folds_of(posed.photographs, 4)
    assert [len(fold.queries) for fold in folds] == [3, 2, 2, 2]
    assert sorted(each.name for fold in folds for each in fold.queries) == [f"images/{n}.png" for n in range(9)]
    for fold in folds:
        assert not {each.name for each in fold.queries} & {each.name for each in fold.rest}
        assert len(fold.queries) + len(fold.rest) == 9


def test_photographs_of_other_places_are_drawn_once_each_and_evenly(tmp_path: Path) -> None:
    for name in ("a", "b"):
        posed_folder(tmp_path / name, 8)
    posed_folder(tmp_path / "short", FEWEST - 1)
    sets, skipped = find_posed_sets(tmp_path, wrong=9)
    assert [posed.name for posed in sets] == ["a", "b"]
    assert skipped.keys() == {"short"}
    drawn = {posed.name: [path.relative_to(tmp_path).parts[0] for path in posed.elsewhere] for posed in sets}
    assert [len(each) for each in drawn.values()] == [5, 4]
    assert "a" not in drawn["a"]
    assert "b" not in drawn["b"]
    every = [path for posed in sets for path in posed.elsewhere]
    assert len(set(every)) == 9
    again, _ = find_posed_sets(tmp_path, wrong=9)
    assert [posed.elsewhere for posed in again] == [posed.elsewhere for posed in sets]


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("images/0.png 1 2 3", "26 fields"),
        ("images/0.png " + " ".join(["x"] * 25), "could not convert"),
        ("images/0.png " + " ".join(["nan"] * 25), "26 fields"),
        ("images/gone.png " + " ".join(["1"] * 25), "cannot be read"),
    ],
)
def test_a_broken_line_is_refused(tmp_path: Path, broken: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        find_posed_sets(posed_folder(tmp_path / "line", 8, broken))
