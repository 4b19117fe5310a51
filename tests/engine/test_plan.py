from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.engine import (
    Share,
    Unit,
    find_images,
    passed_over,
    plan_images,
    plan_pairs,
    readable_suffixes,
)
from cyano.engine.finding import SUFFIXES
from cyano.errors import InputError

CONFIG = "0123456789abcdef"


def _names(count: int, seed: int | None = None) -> list[str]:
    """Names in the order of the photographs, or in no order that tells of it."""
    numbers = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    return [f"{number:06d}.jpg" for number in numbers]


def _neighbours(names: list[str], reach: int) -> list[tuple[str, str]]:
    pairs = (
        combinations(range(len(names)), 2)
        if reach >= len(names)
        else ((i, j) for i in range(len(names)) for j in range(i + 1, min(i + 1 + reach, len(names))))
    )
    return [(names[i], names[j]) for i, j in pairs]


def feature_reads(tiles: Sequence[Unit[tuple[str, str]]]) -> int:
    """How many times the features of an image are read to match all of these tiles."""
    return sum(len({name for pair in tile.items for name in pair}) for tile in tiles)


@pytest.mark.parametrize(
    ("count", "reach", "seed", "reads"),
    [(400, 400, None, 0.1), (2000, 10, None, 0.15), (2000, 10, 0, 0.15), (20, 20, None, 0.8)],
    ids=["dense", "sequence", "sequence without order", "small"],
)
def test_each_pair_is_in_one_small_tile(count: int, reach: int, seed: int | None, reads: float) -> None:
    pairs = _neighbours(_names(count, seed), reach)
    tiles = plan_pairs(pairs, CONFIG)
    assert sorted(pair for tile in tiles for pair in tile.items) == sorted(pairs)
    assert all(len(tile.items) <= 2048 for tile in tiles)
    assert all(feature_reads([tile]) <= 128 for tile in tiles)
    assert len({tile.id for tile in tiles}) == len(tiles)
    assert feature_reads(tiles) <= reads * len(pairs)  # pair by pair it is 2 for each


def test_the_plan_does_not_depend_on_the_order_of_the_list() -> None:
    pairs = _neighbours(_names(200), 12)
    shuffled = [pairs[n] for n in np.random.default_rng(1).permutation(len(pairs))]
    assert plan_pairs(pairs, CONFIG) == plan_pairs(shuffled, CONFIG)
    others = {tile.id for tile in plan_pairs(pairs, CONFIG[::-1])}
    assert not others & {tile.id for tile in plan_pairs(pairs, CONFIG)}


def test_a_pair_given_twice_is_done_once_in_its_first_direction() -> None:
    (tile,) = plan_pairs([("b", "a"), ("a", "b"), ("b", "a"), ("a", "c")], CONFIG)
    assert sorted(tile.items) == [("a", "c"), ("b", "a")]


def test_shares_are_all_of_the_work_and_none_twice() -> None:
    tiles = plan_pairs(_neighbours(_names(60), 60), CONFIG)
    shares = [Share.parse(f"{index}/3").of(tiles) for index in range(3)]
    assert sorted(tile.id for share in shares for tile in share) == sorted(tile.id for tile in tiles)
    assert all(shares)


@pytest.mark.parametrize("text", ["3/3", "-1/3", "1", "a/b", "1/0", ""])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="i/N"):
        Share.parse(text)


def test_an_image_with_itself() -> None:
    with pytest.raises(InputError, match="'b' is paired with itself"):
        plan_pairs([("a", "b"), ("b", "b")], CONFIG)


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 1), (30, 4), (1000, 15), (10_000, 64)])
def test_chunks_of_images(count: int, size: int) -> None:
    names = _names(count)
    chunks = plan_images([*names, *names[:3]], CONFIG)
    assert [name for chunk in chunks for name in chunk.items] == names
    assert max((len(chunk.items) for chunk in chunks), default=0) == size
    assert plan_pairs([], CONFIG) == []


def test_images_are_found(tmp_path: Path) -> None:
    for name in ("b.JPG", "sub/a.png", "sub/notes.txt", ".hidden/c.png", "sub/._a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == ["b.JPG", "sub/a.png"]
    with pytest.raises(InputError, match="holds no images"):
        find_images(_empty(tmp_path / "empty"))
    (tmp_path / "empty" / "c.HEIC").touch()
    with pytest.raises(InputError, match=r"1 images of other types were skipped \(1 \.heic\)"):
        find_images(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        find_images(tmp_path / "absent")


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    for name in ("images/plain/a.jpg", "elsewhere/b.jpg", "elsewhere/deep/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    images = tmp_path / "images"
    (images / "linked").symlink_to(tmp_path / "elsewhere")
    (images / "a link to plain").symlink_to(images / "plain")  # comes first by name, but what lies here has precedence
    (tmp_path / "elsewhere" / "round").symlink_to(images)
    (images / "nowhere").symlink_to(tmp_path / "absent")
    assert find_images(images) == ["linked/b.jpg", "linked/deep/c.jpg", "plain/a.jpg"]
    assert passed_over(images, SUFFIXES) == []


def test_what_is_passed_over_is_counted_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "a.jpg",
        "b.heic",
        "c.HEIC",
        "d.jxl",
        "e.CR2",
        "f.avif",
        "g.jfif",
        "h.jp2",
        "notes.txt",
        "locked/x.jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    readable = readable_suffixes() - {".heic"}
    assert find_images(tmp_path, readable) == ["a.jpg", "f.avif", "g.jfif", "h.jp2", "locked/x.jpg"]
    scandir = os.scandir

    def refusing(path: Path) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert find_images(tmp_path, readable) == ["a.jpg", "f.avif", "g.jfif", "h.jp2"]
    others, locked = passed_over(tmp_path, readable)
    told = "4 images of other types were skipped (1 .cr2, 2 .heic, 1 .jxl): b.heic, c.HEIC, d.jxl"
    assert others.startswith(told)
    assert "pillow-heif" in others
    assert locked == "1 folders cannot be read: locked (Permission denied)"
