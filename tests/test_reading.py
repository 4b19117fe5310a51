"""Files of anybody: the right content of sound ones, one error with the file's name and the remedy for all others."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from cyano.checkpoints.huggingface import read_config as read_model_config
from cyano.errors import InputError, WeightsError
from cyano.formats import read_archive
from cyano.reading import parse_json, parse_toml, read_arrays, read_bytes, read_json, read_text
from cyano.records import record_from

GOOD = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2], np.int64)}


def archive(**members: bytes) -> bytes:
    """A zip file with these members, as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(header: str) -> bytes:
    """An .npy file of this header and no data."""
    padded = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded


def flagged(offset: int, value: int) -> bytes:
    """A sound archive with one number of its directory changed: 8 holds its flags, 10 its compression."""
    content = bytearray(archive(a=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}")))
    place = content.index(b"PK\x01\x02") + offset
    content[place : place + 2] = struct.pack("<H", value)
    return bytes(content)


BROKEN = {
    "no archive": b"x" * 100,
    "empty": b"",
    "header that is no Python": archive(a=npy("{'descr': '<f4', 'shape': (")),
    "header of an open string": archive(a=npy("{'descr': '''<f4")),
    "header of null characters": archive(a=npy("{'descr': '<f4\0', 'fortran_order': False, 'shape': (0,)}")),
    "negative size": archive(a=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}")),
    "size beyond 64 bits": archive(a=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}")),
    "size beyond any memory": archive(a=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000000000,)}")),
    "many of nothing": archive(a=npy("{'descr': '|V0', 'fortran_order': False, 'shape': (4000000000000,)}")),
    "objects": archive(a=npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")),
    "no array": archive(a=b"text"),
    "deep header": archive(a=npy("{'descr': " + "[" * 5000 + "]" * 5000 + "}")),
    "encrypted": flagged(8, 1),
    "unknown compression": flagged(10, 99),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_archives_that_are_none_are_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz cannot be read .*; make it again"):
        read_arrays(path, ["a"])
    with pytest.raises(WeightsError, match="fetch it"):
        read_arrays(path, remedy="fetch it", error=WeightsError)


def test_a_sound_archive_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", **GOOD)  # type: ignore[arg-type]
    found = read_arrays(tmp_path / "x.npz")
    assert found.keys() == GOOD.keys()
    for name, array in GOOD.items():
        np.testing.assert_array_equal(found[name], array)
    assert list(read_arrays(tmp_path / "x.npz", ["b"])) == ["b"]
    with pytest.raises(InputError, match="c is not a file"):
        read_arrays(tmp_path / "x.npz", ["c"])


def test_a_flipped_byte_is_never_more_than_one_error(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, **GOOD)  # type: ignore[arg-type]
    sound, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(sound)
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(content))
        try:
            read_arrays(path)
        except InputError as error:
            assert "x.npz" in str(error)  # noqa: PT017 - a flip that changes nothing is read


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"{",
        b"\xff\xfe{",
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"a": 9223372036854775808}',
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_json_that_is_none_is_one_error(content: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.json cannot be read as JSON .*; make it again"):
        parse_json(content, "x.json")


@pytest.mark.parametrize(
    "content", [b"a = ", b"a = \xff", b"a = " + b"[" * 100_000, b"a = 9223372036854775808", b"a = 1\na = 2"]
)
def test_toml_that_is_none_is_one_error(content: bytes) -> None:
    with pytest.raises(InputError, match=r"x\.toml cannot be read as TOML .*; mend it"):
        parse_toml(content, "x.toml")


def test_the_outermost_numbers_are_read() -> None:
    assert parse_json(b'{"a": [-9223372036854775808, 9223372036854775807]}', "")["a"] == [-(2**63), 2**63 - 1]
    assert parse_toml(b"a = 1.5\n[b]\nc = true", "") == {"a": 1.5, "b": {"c": True}}


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for name, told in (("pipe", "not a regular file"), (".", "cannot be read|not a regular"), ("absent", "no file")):
        with pytest.raises(InputError, match=told):
            read_bytes(tmp_path / name)
    with pytest.raises(InputError, match="embedded null"):
        read_bytes("a\0b")
    (tmp_path / "long").write_bytes(b"12345")
    with pytest.raises(InputError, match="has 5 bytes, more than 4"):
        read_bytes(tmp_path / "long", limit=4)


def test_text_is_utf_8(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbf\xc3\xa4 1")
    assert read_text(tmp_path / "x.txt") == "ä 1"
    (tmp_path / "x.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"x\.txt is not text in UTF-8"):
        read_text(tmp_path / "x.txt")


@dataclass(frozen=True)
class Inner:
    weight: float = 1.0


@dataclass(frozen=True)
class Outer:
    count: int
    mode: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = ()
    inner: Inner | None = None


def test_records_are_filled_by_their_types() -> None:
    found = record_from(Outer, {"count": 2, "mode": "b", "sizes": [1, 2], "inner": {"weight": 3}}, "x")
    assert found == Outer(2, "b", (1, 2), Inner(3.0))
    assert record_from(Outer, {"count": 2, "inner": None}, "x") == Outer(2)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"count": 2, "mod": "a"}, "did you mean 'mode'"),
        ({"count": True}, "count should be int"),
        ({"count": "2"}, "count should be int"),
        ({"count": 2, "mode": "c"}, "one of 'a', 'b'"),
        ({"count": 2, "mode": ["a"]}, "one of 'a', 'b'"),
        ({"count": 2, "sizes": [1, "2"]}, r"sizes\[1\] should be int"),
        ({"count": 2, "inner": {"weight": float("nan")}}, "finite"),
        ({"count": 2, "inner": 3}, "should be a table"),
        ({}, "incomplete"),
        ([1], "should be a table"),
    ],
)
def test_records_that_do_not_fit_are_named(data: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        record_from(Outer, data, "x")


@pytest.mark.parametrize("key", ["hidden_size", "sinkhorn_iterations", "keypoint_encoder_sizes", "gnn_layers_types"])
def test_sizes_of_networks_are_bounded(tmp_path: Path, key: str) -> None:
    huge: dict[str, Any] = {"keypoint_encoder_sizes": [2**40], "gnn_layers_types": ["self"] * 100_000}
    content = {"model_type": "superglue", key: huge.get(key, 2**40)}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=key):
        read_model_config(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "superglue", "hidden_size": 1' + "0" * 30 + "}")
    with pytest.raises(WeightsError, match="more than 64 bits"):
        read_model_config(tmp_path)


def test_archives_of_pairs_are_read_or_refused_by_the_same(tmp_path: Path) -> None:
    for content in BROKEN.values():
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.npz"):
            read_archive(tmp_path / "x.npz")


def test_json_files_are_objects(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "x.json") == {"a": 1}
