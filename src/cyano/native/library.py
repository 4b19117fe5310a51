"""The library of kernels, and the instructions that it is used with.

It is compiled from native/ when Cyano is installed, where there is a compiler for it (setup.py). The environment
variable CYANO_NATIVE chooses, once for a process: `0` for torch alone, or `avx2`, `avx512` or `avx512bf16` for one set
of instructions; without it the best that the processor has.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cyano.errors import InputError

__all__ = ["TARGETS", "VARIABLE", "available", "function", "serves", "size", "status", "target", "threads"]

VARIABLE = "CYANO_NATIVE"
TARGETS = ("avx512bf16", "avx512", "avx2")
"""Sets of instructions, the best first; names of functions end with them."""

_LIBRARY = Path(__file__).with_name("kernels.so")
_TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int, "f": ctypes.c_float}


@cache
def target() -> str | None:
    """The instructions that kernels are used with; None where torch computes all.

    Raises:
        InputError: CYANO_NATIVE asks for what this machine does not have.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "0":
        return None
    there = available()
    if not wanted:
        return there[0] if there else None
    if wanted not in there:
        choices = ", ".join(("0", *there))
        raise InputError(f"{VARIABLE}={wanted} cannot be used here ({status_without()}); choose one of {choices}")
    return wanted


def status() -> str:
    """Which kernels are used, or why there are none, in words."""
    if os.environ.get(VARIABLE) == "0":
        return f"none, as {VARIABLE}=0 says"
    return target() or status_without()


def status_without() -> str:
    """What this machine has, whatever CYANO_NATIVE says, in words."""
    if _library() is None:
        return "none: the library is not compiled, or does not fit this system"
    return ", ".join(available()) or f"none: the processor has none of {', '.join(TARGETS)}"


def serves(*tensors: Tensor) -> bool:
    """Whether kernels can compute with these: float32 in memory, without gradients, and nobody records operations."""
    plain = all(t.is_cpu and t.dtype == torch.float32 and not t.requires_grad for t in tensors)
    return plain and target() is not None and not (_is_tracing() or torch.compiler.is_compiling())


def _is_tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def threads() -> int:
    """How many a kernel is to use: as many as torch, with which it shares OpenMP's."""
    return torch.get_num_threads()


@cache
def function(name: str, signature: str) -> Callable[..., None]:
    """A function of the library, for the target in use.

    Args:
        name: without prefix and target.
        signature: a letter for each argument: p for a contiguous tensor in memory, of which the address is passed (or
            None), i for an integer, f for a float.

    Returns:
        The function. It raises MemoryError where the kernel had too little.
    """
    found = _named(f"{name}_{target()}")
    found.restype, found.argtypes = ctypes.c_int, [_TYPES[letter] for letter in signature]

    def call(*arguments: Tensor | float | None) -> None:
        if found(*(_address(each) if isinstance(each, Tensor) else each for each in arguments)):
            raise MemoryError(f"not enough memory for {name}")

    return call


def size(name: str, *arguments: int) -> int:
    """Floats of what a function packs; `name` is that function's and "_size" follows."""
    found = _named(f"{name}_size_{target()}")
    found.restype, found.argtypes = ctypes.c_size_t, [ctypes.c_int] * len(arguments)
    return int(found(*arguments))


def _named(name: str) -> Any:
    library = _library()
    if library is None or target() is None:
        raise RuntimeError("there are no kernels; ask target() first")
    return library[f"cyano_{name}"]


def _address(tensor: Tensor) -> int:
    if not tensor.is_cpu or not tensor.is_contiguous():
        raise ValueError(f"kernels take contiguous tensors in memory, not of {tensor.device} and {tensor.stride()}")
    return tensor.data_ptr()


@cache
def _library() -> ctypes.CDLL | None:
    """The library, if there is one that the system takes; it finds OpenMP's functions where torch has them."""
    try:
        return ctypes.CDLL(os.fspath(_LIBRARY))
    except OSError:
        return None


def available() -> tuple[str, ...]:
    """The targets that library and processor have, the best first."""
    library = _library()
    return () if library is None else tuple(name for name in TARGETS if library[f"cyano_has_{name}"]())
