from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import pytest
import safetensors
import torch

from cyano.checkpoints.files import read_json, read_tensors, sha256, write_safetensors
from cyano.errors import WeightsError


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.safetensors"
    write_safetensors(path, {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)})
    return path


def test_round_trip(good: Path) -> None:
    tensors = read_tensors(good)
    assert torch.equal(tensors["a"], torch.arange(6.0).reshape(2, 3))
    assert tensors["b"].shape == ()
    with safetensors.safe_open(good, "pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert list(good.parent.iterdir()) == [good]  # nothing is left beside it


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".pt", ".ckpt"])
def test_files_of_torch(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save({"a": torch.ones(2)}, path)
    assert torch.equal(read_tensors(path)["a"], torch.ones(2))


def test_shared_and_strided_tensors_are_written(tmp_path: Path) -> None:
    base = torch.arange(6.0).reshape(2, 3)
    write_safetensors(tmp_path / "x.safetensors", {"a": base, "b": base, "c": base.t()})
    assert torch.equal(read_tensors(tmp_path / "x.safetensors")["c"], base.t())


def test_a_file_that_carries_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\n  <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"\x00" * 64, "cannot be read"),
        (bytes(range(1, 256)) * 16, "cannot be read"),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_what_is_commonly_found_instead(tmp_path: Path, content: bytes, message: str, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_tensors(path)


def test_missing_folder_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no weight file"):
        read_tensors(tmp_path / "none.safetensors")
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(WeightsError, match="folder or a device"):
        read_tensors(tmp_path / "folder.pth")
    (tmp_path / "weights.txt").write_text("hello")
    with pytest.raises(WeightsError, match="should end in"):
        read_tensors(tmp_path / "weights.txt")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.ones(2).to_sparse(),
        torch.ones(2, device="meta"),
    ],
)
def test_forms_that_are_not_read(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"a": tensor}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="save dense tensors"):
        read_tensors(tmp_path / "x.pth")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt"])
def test_every_truncation_is_an_error(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".pth":
        torch.save({"a": torch.arange(50.0)}, whole)
    elif suffix == ".pt":  # the form before PyTorch 1.6, in which the original's files are
        torch.save({"a": torch.arange(50.0)}, whole, _use_new_zipfile_serialization=False)
    else:
        write_safetensors(whole, {"a": torch.arange(50.0)})
    content = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in range(0, len(content), max(len(content) // 40, 1)):
        cut.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            read_tensors(cut)


def test_no_flipped_bit_of_the_header_gets_other_exceptions(good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    flipped = tmp_path / "flipped.safetensors"
    refused = 0
    for bit in range(0, header * 8, 3):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        flipped.write_bytes(damaged)
        try:
            read_tensors(flipped)  # some flips only rename a tensor, which the comparison with the network finds
        except WeightsError:
            refused += 1
    assert refused > header


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_that_are_not_finite(tmp_path: Path, value: float, dtype: torch.dtype) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"fine": torch.ones(2), "bad": torch.tensor([1, value], dtype=dtype)})
    with pytest.raises(WeightsError, match="non-finite values in 'bad'"):
        read_tensors(path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {"a": 1}}, {1: torch.ones(1)}])
def test_torch_files_without_tensors_by_name(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="state_dict"):
        read_tensors(tmp_path / "x.pth")


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\xff"])
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(WeightsError, match="JSON"):
        read_json(path)


def test_json_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no config\.json"):
        read_json(tmp_path / "config.json")


def test_sha256(good: Path) -> None:
    assert sha256(good) == hashlib.sha256(good.read_bytes()).hexdigest()
