"""A shard: every byte of the file is covered by a checksum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from cyano.store.shard import DamagedShardError, encode, open_shard

TENSORS = {
    "half": np.arange(7, dtype=np.float16),
    "wide": np.arange(6, dtype=np.float64).reshape(2, 3),
    "none": np.zeros((0, 2), np.int32),
    "scalar": np.array(3, np.uint8),
    "big endian": np.arange(4, dtype=">i4"),
    "strided": np.arange(10, dtype=np.uint16)[::2],
}


def _read(path: Path) -> dict[str, np.ndarray]:
    with open_shard(path) as shard:
        return {name: shard.tensor(name) for name in shard.names}


def test_round_trip_and_the_library_agrees(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    document = {"names": ['"checksum": "0000', "\udcff", "é\n"], "number": 3}
    path.write_bytes(encode(document, TENSORS))
    assert encode(document, TENSORS) == path.read_bytes()
    library = safetensors.numpy.load_file(path)
    found = _read(path)
    assert found.keys() == library.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        np.testing.assert_array_equal(found[name], expected)
        np.testing.assert_array_equal(library[name], expected)
        assert found[name].shape == expected.shape
        assert found[name].flags.writeable
    with open_shard(path) as shard:
        assert {name: shard.document[name] for name in document} == document


def test_every_flipped_bit_and_every_length_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    content = encode({"names": ["a", "b"]}, TENSORS)
    rng = np.random.default_rng(0)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(DamagedShardError):
            _read(path)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DamagedShardError):
            _read(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(DamagedShardError, match="bytes instead of"):
        _read(path)


def test_other_files_are_no_shards(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    for content in (b"", b"\xff" * 100, b"<html>" * 50, safetensors.numpy.save({"a": np.zeros(3)}), bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(DamagedShardError):
            _read(path)
