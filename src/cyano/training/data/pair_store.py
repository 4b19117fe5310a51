"""Training pairs on disk: made when first drawn, read when drawn again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cyano.atomic import write_atomically
from cyano.reading import read_arrays, refusing

__all__ = ["PairStore"]


class PairStore:
    """A fixed number of pairs, each a function of its number; any processes may share the folder."""

    def __init__(self, folder: Path, count: int) -> None:
        """Nothing is made yet.

        Args:
            folder: where the pairs go; it belongs to one configuration.
            count: pairs in all.
        """
        self.count = count
        self._folder = folder

    def pair(self, number: int, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The pair of that number. Descriptors come back as float16 has them, also from a pair just made.

        Args:
            number: 0 <= number < count.
            make: makes the pair, if it is not there.

        Raises:
            OutputError: it cannot be written.
            InputError: its file is damaged.
        """
        path = self._folder / f"{number // 1000:04d}" / f"{number:07d}.npz"
        if not path.exists():
            buffer = io.BytesIO()
            np.savez(buffer, **{name: _narrow(name, value).numpy() for name, value in make().items()})  # type: ignore[arg-type]
            write_atomically(path, buffer.getvalue())
        remedy = "delete it, and it is made again"
        arrays = read_arrays(path, remedy=remedy)
        with refusing(path, remedy):
            return {name: _wide(torch.from_numpy(array)) for name, array in arrays.items()}


def _narrow(name: str, value: Tensor) -> Tensor:
    """Descriptors, nine tenths of a pair's bytes, as float16: their rounding is a tenth of bfloat16's."""
    return value.half() if name.startswith("descriptors") else value


def _wide(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.float16 else value
