from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cyano.errors import InputError, OutputError
from cyano.pairs import Pair, plain_stem, read_pairs, unique_stems, write_pairs
from support.scenes import rotation_about

K = "600 0 320 0 610 240 0 0 1"
T = "0 -1 0 0.5 1 0 0 -2e-1 0 0 1 0 0 0 0 1"
EVAL_DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "eval"


def listing(folder: Path, text: str) -> Path:
    path = folder / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    return path


def same(a: Pair, b: Pair) -> bool:
    plain = (a.name0, a.name1, a.turns0, a.turns1) == (b.name0, b.name1, b.turns0, b.turns1)
    return plain and all(
        x is y is None or (x is not None and y is not None and np.array_equal(x, y))
        for x, y in ((a.K0, b.K0), (a.K1, b.K1), (a.T_0to1, b.T_0to1))
    )


def test_all_three_kinds_of_lines(tmp_path: Path) -> None:
    path = listing(tmp_path, f"a.jpg b/c.jpg\nd e 1 3\n\n  # a comment\nf g 0 2 {K} {K} {T}\n")
    first, second, third = read_pairs(path)
    assert (first.name0, first.name1, first.turns0, first.turns1) == ("a.jpg", "b/c.jpg", 0, 0)
    assert first.K0 is first.K1 is first.T_0to1 is None
    assert not first.has_ground_truth
    assert (second.turns0, second.turns1) == (1, 3)
    assert (third.turns0, third.turns1) == (0, 2)
    assert third.has_ground_truth
    assert third.K0 is not None
    assert third.K0.tolist() == [[600, 0, 320], [0, 610, 240], [0, 0, 1]]
    assert third.T_0to1 is not None
    assert third.T_0to1.dtype == np.float64
    assert third.T_0to1.tolist() == [[0, -1, 0, 0.5], [1, 0, 0, -0.2], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("text", ["", "\n\n# nothing\n"])
def test_empty_list(tmp_path: Path, text: str) -> None:
    assert read_pairs(listing(tmp_path, text)) == []


def test_windows_line_ends_tabs_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"\xef\xbb\xbfa.jpg\tb.jpg\r\nc.jpg   d.jpg 0 1\r\n")
    assert [(pair.name0, pair.name1, pair.turns1) for pair in read_pairs(path)] == [
        ("a.jpg", "b.jpg", 0),
        ("c.jpg", "d.jpg", 1),
    ]


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("a", "1 fields; give 2 fields"),
        ("a b 0", "3 fields"),
        ("my photo.jpg b.jpg 0 0", "5 fields.*cannot hold spaces"),
        (f"a b 0 0 {K} {K}", "22 fields"),
        ("a b 0 x", "'x' is not a number of turns"),
        ("a b 0 1.5", "'1.5' is not a number of turns"),
        ("a b 0 6", "not 6 times.*EXIF"),
        ("a b -1 0", "not -1 times"),
        (f"a b 0 0 {K} {K} {T.replace('0.5', 'half')}", "'half' is not a number"),
        (f"a b 0 0 {K.replace('320', 'nan')} {K} {T}", "K0.*finite"),
        (f"a b 0 0 {K} {K.replace('240', 'inf')} {T}", "K1.*finite"),
        (f"a b 0 0 {K} {K} {T.replace('0.5', 'nan')}", "T_0to1.*finite"),
        (f"a b 0 0 {K.replace('600', '-600')} {K} {T}", "K0 is not a matrix of intrinsics"),
        (f"a b 0 0 {K} 600 0 0 0 610 0 320 240 1 {T}", "K1 is not a matrix of intrinsics"),
        (f"a b 0 0 {K} {K} {T.replace('-1 ', '-1.01 ', 1)}", "not a rigid motion"),
        (f"a b 0 0 {K} {K} {T.replace('-1 ', '1 ', 1)}", "not a rigid motion"),  # a reflection
        (f"a b 0 0 {K} {K} 0 1 0 0 -1 0 0 0 0 0 1 0 0.5 -0.2 0 1", "last row"),  # column by column
    ],
)
def test_bad_lines_are_named_with_file_and_line(tmp_path: Path, line: str, fact: str) -> None:
    path = listing(tmp_path, f"# first\nok0 ok1\n{line}\n")
    with pytest.raises(InputError, match=f"pairs.txt, line 3: .*{fact}"):
        read_pairs(path)


def test_rounded_rotations_are_rigid(tmp_path: Path) -> None:
    R = rotation_about((0.3, -1.0, 0.5), 77.0)
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = np.round(R, 4), (1, 2, 3)
    path = listing(tmp_path, f"a b 0 0 {K} {K} {' '.join(f'{value:.4f}' for value in motion.flat)}\n")
    assert len(read_pairs(path)) == 1


def test_pair_listed_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = listing(tmp_path, "a b\n\nb a\na b 1 0\n")
    with pytest.raises(InputError, match="lines 1 and 4 are the same pair, a b"):
        read_pairs(path)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt"):
        read_pairs(tmp_path / "none.txt")
    with pytest.raises(InputError, match="give a pair list"):
        read_pairs(tmp_path)
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        read_pairs(tmp_path / "image.png")


NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12).filter(
    lambda name: not name.startswith("#")
)
NUMBERS = st.floats(-1e6, 1e6)
FOCALS = st.floats(1e-3, 1e6)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    names = draw(NAMES), draw(NAMES)
    turns = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    if not draw(st.booleans()):
        return Pair(*names, *turns)
    K0, K1 = (
        np.array([[draw(FOCALS), draw(NUMBERS), draw(NUMBERS)], [0, draw(FOCALS), draw(NUMBERS)], [0, 0, 1.0]])
        for _ in range(2)
    )
    axis = draw(st.tuples(*[st.floats(0.1, 1.0)] * 3))
    motion = np.eye(4)
    motion[:3, :3] = rotation_about(axis, draw(st.floats(-180, 180)))
    motion[:3, 3] = draw(hnp.arrays(np.float64, 3, elements=NUMBERS))
    return Pair(*names, *turns, K0, K1, motion)


LISTS = st.lists(pairs(), max_size=6, unique_by=lambda pair: (pair.name0, pair.name1))


@given(LISTS)
def test_what_is_written_is_read_back_exactly(tmp_path_factory: pytest.TempPathFactory, listed: list[Pair]) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.txt"
    write_pairs(path, listed)
    read = read_pairs(path)
    assert len(read) == len(listed)
    assert all(same(a, b) for a, b in zip(read, listed, strict=True))


@pytest.mark.parametrize("name", ["my photo.jpg", "#1.jpg", "a\nb", "a\x85b", "\ufeffa", "a\udcff"])
def test_names_that_a_list_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="rename the file"):
        write_pairs(tmp_path / "pairs.txt", [Pair("a", "b"), Pair("c", name), Pair(name, "d")])
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = listing(tmp_path, "old older\n")
    write_pairs(path, [Pair("a", "b"), Pair("c", "d", 0, 1)])
    assert path.read_text() == "a b\nc d 0 1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_the_same_pair_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="entries 1 and 2"):
        write_pairs(tmp_path / "pairs.txt", [Pair("a", "b"), Pair("a", "b", 1)])


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder that exists"):
        write_pairs(tmp_path / "missing" / "pairs.txt", [])
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_pairs(tmp_path / "folder", [])


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("", "b"), "empty"),
        (("a", "b", 4), "4 times"),
        (("a", "b", 0, 0, np.eye(3)), "all three or none"),
        (("a", "b", 0, 0, np.eye(3), np.eye(3)), "all three or none"),
        (("a", "b", 0, 0, np.eye(4), np.eye(3), np.eye(4)), "K0 has to be a 3x3"),
        (("a", "b", 0, 0, np.eye(3), np.eye(3), np.eye(3)), "T_0to1 has to be a 4x4"),
        (("a", "b", 0, 0, np.eye(3), np.eye(3), 2 * np.eye(4)), "not a rigid motion"),
    ],
)
def test_pairs_made_by_a_program_are_checked_too(arguments: tuple[object, ...], fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        Pair(*arguments)  # type: ignore[arg-type]


def test_stems_are_the_originals_where_they_are_unique() -> None:
    listed = [Pair("left/a.jpg", "right/b.png"), Pair("1311.16.jpg", "1311.96.jpg")]
    assert unique_stems(listed) == ["a_b", "1311.16_1311.96"] == [plain_stem(pair) for pair in listed]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("x/1.jpg", "x/2.jpg"), ("y/1.jpg", "y/2.jpg")),  # same names in other folders
        (("1.jpg", "2.jpg"), ("1.png", "2.jpg")),  # other kinds of files
        (("a_b", "c"), ("a", "b_c")),  # the separator inside a name
        (("a/b", "c"), ("a+b", "c.jpg")),
    ],
)
def test_stems_that_collide_are_named_by_paths(first: tuple[str, str], second: tuple[str, str]) -> None:
    listed = [Pair("alone", "together"), Pair(*first), Pair(*second)]
    stems = unique_stems(listed)
    assert stems[0] == "alone_together"
    assert len(set(stems)) == 3
    if plain_stem(listed[1]) == plain_stem(listed[2]):  # both tell that they were renamed, and by which paths
        for stem, pair in zip(stems[1:], listed[1:], strict=True):
            assert stem != plain_stem(pair)
            assert stem == f"{pair.name0}={pair.name1}".replace("/", "+")


def test_plain_stem_that_looks_like_another_pairs_paths_gives_way() -> None:
    listed = [Pair("x/1", "2"), Pair("y/1", "2"), Pair("x+1=2.z", "w")]
    tricky = Pair("q.r", "s")
    assert len(set(unique_stems([*listed, tricky]))) == 4
    # A file called like the first pair's paths, made into a plain stem with an underscore in them:
    listed = [Pair("x_/1", "2"), Pair("y_/1", "2"), Pair("a/x.jpg", "+1=2.jpg")]
    stems = unique_stems(listed)
    assert plain_stem(listed[2]) == stems[0]
    assert stems[2] == "a+x.jpg=%2B1%3D2.jpg"
    assert len(set(stems)) == 3


PATHS = st.text(alphabet="ab+=%\\_/.", min_size=1, max_size=6).filter(lambda name: PurePosixPath(name).name != "")


@given(st.lists(st.tuples(PATHS, PATHS), unique=True, max_size=12))
def test_stems_never_collide_and_are_names_of_files(names: list[tuple[str, str]]) -> None:
    stems = unique_stems([Pair(*pair) for pair in names])
    assert len(set(stems)) == len(names)
    assert not any(os.sep in stem for stem in stems)


def test_stems_of_the_same_pair_twice_are_refused() -> None:
    with pytest.raises(InputError, match=r"entries 1 and 3 .* a b"):
        unique_stems([Pair("a", "b"), Pair("b", "a"), Pair("a", "b", 2)])


def test_lists_of_real_data_sets_are_read() -> None:
    paths = sorted(EVAL_DATA.glob("*/pairs.txt"))
    if not paths:
        pytest.skip("the evaluation data is not here: no folder shared/data/eval beside the repository")
    for path in paths:
        listed = read_pairs(path)
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
        assert [pair.name0 for pair in listed] == [line.split()[0] for line in lines]
        assert all(pair.has_ground_truth for pair in listed)
        assert len(set(unique_stems(listed))) == len(listed)


def test_the_longest_names_have_room_for_their_endings() -> None:
    long = "\u00e4" * 120  # 240 bytes, a possible file name
    listed = [Pair(f"{long}0.png", f"{long}{number}.png") for number in range(1, 4)]
    stems = unique_stems(listed)
    assert len(set(stems)) == 3
    for stem in stems:
        assert len(f".{stem}_evaluation.npz".encode()) <= 255
        assert stem.startswith("\u00e4" * 100)
    assert unique_stems(listed) == stems
