from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.pairs import Pair, read_name_pairs


def named(pairs: list[Pair]) -> list[tuple[str, str]]:
    return [(pair.name0, pair.name1) for pair in pairs]


def test_what_programs_write(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(
        b"\xef\xbb\xbfb a\r\n"  # a byte order mark, and the ends of lines that Windows writes
        b"# a comment\r\n"
        b"a b\r\n"  # 3: the first pair, the other way round
        b"c\tc\r\n"  # 4: an image with itself
        b"\r\n"
        b"a z\r\n"  # 6: an image that is not there
        b"b a\r\n"  # 7: the first pair again
        b"a c 1 0\r\n"
        b"c b"
    )
    listed = read_name_pairs(path, ["a", "b", "c"])
    assert named(listed.pairs) == [("b", "a"), ("a", "c"), ("c", "b")]
    assert listed.pairs[1].turns0 == 1
    assert (listed.repeated, listed.alone, listed.unknown) == ([3, 7], [4], [(6, "z")])
    assert listed.notes() == [
        "left out 2 lines that repeat a pair, in either direction: lines 3, 7",
        "left out 1 lines that pair an image with itself: lines 4",
        "left out 1 lines that name an image that is not there: z (line 6)",
    ]
    assert named(read_name_pairs(path).pairs) == [("b", "a"), ("a", "z"), ("a", "c"), ("c", "b")]


@given(st.lists(st.tuples(*[st.sampled_from("abcdef")] * 2), max_size=30))
def test_against_the_definition(tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "names.txt"
    path.write_text("".join(f"{name0} {name1}\n" for name0, name1 in lines))
    first: dict[frozenset[str], tuple[str, str]] = {}
    for pair in lines:
        if len(set(pair)) == 2 and set(pair) <= set("abcd"):
            first.setdefault(frozenset(pair), pair)
    listed = read_name_pairs(path, list("abcd"))
    assert named(listed.pairs) == list(first.values())
    assert len(listed.pairs) + len(listed.repeated) + len(listed.alone) + len(listed.unknown) == len(lines)
    assert all(not set(lines[number - 1]) <= set("abcd") for number, _ in listed.unknown)


def test_many_notes_are_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("a b\n" * 20_000)
    listed = read_name_pairs(path)
    assert len(listed.pairs) == 1
    assert listed.notes() == [
        "left out 19999 lines that repeat a pair, in either direction: lines 2, 3, 4 and 19996 more"
    ]


def test_lines_that_are_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("a b\nmy photo.jpg b\n")
    with pytest.raises(InputError, match=r"pairs.txt, line 2: 3 fields.*cannot hold spaces"):
        read_name_pairs(path)
    path.write_bytes(b"a b\n\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_name_pairs(path)
    os.mkfifo(tmp_path / "pipe")  # opening it for reading would wait for a writer
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match=r"(cannot be read|not a regular file).*give the pair list"):
            read_name_pairs(path)
    with pytest.raises(InputError, match=r"there is no file .*absent.txt"):
        read_name_pairs(tmp_path / "absent.txt")
    with pytest.raises(InputError, match="'a' occurs twice"):
        read_name_pairs(path, ["a", "a"])
