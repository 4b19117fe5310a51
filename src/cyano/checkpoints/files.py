"""Weight files: reading with every check that a stranger's file deserves, writing whole or not at all."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cyano.atomic import write_atomically
from cyano.errors import WeightsError

__all__ = ["TORCH_SUFFIXES", "read_json", "read_tensors", "sha256", "write_safetensors"]

TORCH_SUFFIXES = frozenset({".pth", ".pt", ".bin", ".ckpt"})
"""Endings of files that `torch.save` wrote."""

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)

_DAMAGED = (
    # What damaged bytes make the two readers raise; both parse formats that can go wrong in many places.
    *(SafetensorError, pickle.UnpicklingError, BadZipFile, struct.error, EOFError, OSError, RuntimeError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, MemoryError),
)


def read_tensors(path: Path | str) -> dict[str, Tensor]:
    """Read a weight file without running any code that it may carry.

    Args:
        path: a .safetensors file, or one that `torch.save` wrote (.pth, .pt, .bin, .ckpt).

    Returns:
        Tensors by name, on the CPU, in the file's dtypes.

    Raises:
        WeightsError: the file is missing, empty, damaged, not a weight file, or holds values that are not
            finite.
    """
    path = Path(path)
    _check_looks(path)
    try:
        if path.suffix in TORCH_SUFFIXES:
            content: object = torch.load(path, map_location="cpu", weights_only=True)
        else:
            content = safetensors.torch.load_file(path)
    except _DAMAGED as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path} cannot be read as weights ({first_line}); it is damaged or not a weight file, fetch it again"
        ) from error
    return _checked(path, content)


def _check_looks(path: Path) -> None:
    """Recognise what is commonly found where a weight file should be."""
    if path.suffix not in TORCH_SUFFIXES | {".safetensors"}:
        raise WeightsError(f"{path} is not a weight file: it should end in .safetensors, .pth, .pt, .ckpt or .bin")
    if not path.exists():
        raise WeightsError(f"there is no weight file {path}; check the path")
    if not path.is_file():
        raise WeightsError(f"{path} is not a file but a folder or a device; give the weight file itself")
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise WeightsError(f"{path} cannot be opened: {error.strerror}; check its permissions") from error
    if not head:
        raise WeightsError(f"{path} is empty; fetch it again")
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` where it came from")
    if head.lstrip()[:1] == b"<":
        raise WeightsError(f"{path} is a web page, not weights; download the file itself, not the page that shows it")


def _checked(path: Path, content: object) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds no tensors by name; save the network's state_dict() alone")
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} holds {name!r}, which is no tensor but {type(value).__name__}; "
                "save the network's state_dict() alone"
            )
        is_plain = value.layout == torch.strided and not value.is_meta
        if not is_plain or (value.is_floating_point() and value.dtype not in _FLOATS):
            raise WeightsError(
                f"{path} holds {name!r} in a form that is not read ({value.dtype}, {value.layout}, on "
                f"{value.device}); save dense tensors in float32 or half precision"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsError(
                f"{path} holds values in {name!r} that are not finite; the file is damaged or the training "
                "diverged, take another one"
            )
        tensors[name] = value.detach()
    return tensors


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        WeightsError: the file is missing or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path.parent} has no {path.name}; it is not a complete model folder") from error
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not readable JSON ({error}); fetch it again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a JSON object but {type(content).__name__}; fetch it again")
    return content


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to `path`, whole or not at all, marked as PyTorch's so that transformers reads them.

    Raises:
        OutputError: the file cannot be written.
    """
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(path, safetensors.torch.save(own, metadata={"format": "pt"}))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}; check its name and permissions") from error
