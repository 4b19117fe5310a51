"""Weight files: reading with every check that a stranger's file deserves, writing whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from cyano import reading
from cyano.atomic import write_atomically
from cyano.errors import CyanoError, WeightsError

__all__ = ["TORCH_SUFFIXES", "read_json", "read_saved", "read_tensors", "sha256", "write_safetensors"]

TORCH_SUFFIXES = frozenset({".pth", ".pt", ".bin", ".ckpt"})
"""Endings of files that `torch.save` wrote."""

_FETCH = "it is damaged or not a weight file, fetch it again"
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


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
    if path.suffix in TORCH_SUFFIXES:
        return _checked(path, read_saved(path))
    with _refusing(path, _FETCH):
        return _checked(path, safetensors.torch.load_file(path))


def read_saved(path: Path, *, remedy: str = _FETCH, error: type[CyanoError] = WeightsError) -> object:
    """What `torch.save` wrote, on the CPU, without running any code that the file may carry.

    Args:
        path: of the file.
        remedy: what to do if it cannot be read, for the message.
        error: the kind of error.

    Raises:
        CyanoError: of that kind: it is damaged, or holds more than tensors and plain values.
    """
    with _refusing(path, remedy, error):
        content: object = torch.load(path, map_location="cpu", weights_only=True)
        return content


@contextmanager
def _refusing(path: Path, remedy: str, error: type[CyanoError] = WeightsError) -> Iterator[None]:
    with reading.refusing(path, remedy, error, "weights"), reading.without_warnings():
        try:
            yield
        except SafetensorError as cause:
            raise ValueError(str(cause)) from cause


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
        raise WeightsError(f"{path} has no named tensors; save only the network's state_dict()")
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} holds {name!r}, which is not a tensor but {type(value).__name__}; "
                "save only the network's state_dict()"
            )
        is_plain = value.layout == torch.strided and not value.is_meta
        if not is_plain or (value.is_floating_point() and value.dtype not in _FLOATS):
            raise WeightsError(
                f"{path} holds {name!r} in an unsupported form ({value.dtype}, {value.layout}, on "
                f"{value.device}); save dense tensors in float32 or half precision"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsError(
                f"{path} has non-finite values in {name!r}; the file is damaged or the training "
                "diverged, use another one"
            )
        tensors[name] = value.detach()
    return tensors


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        WeightsError: the file is missing or is not a JSON object.
    """
    if not path.exists():
        raise WeightsError(f"{path.parent} has no {path.name}; it is not a complete model folder")
    return reading.read_json(path, remedy="fetch it again", error=WeightsError)


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
