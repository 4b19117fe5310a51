"""Stored pairs: made once, the same whoever makes them, and a damaged file says what to do."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cyano.errors import InputError
from cyano.training.data.pair_store import PairStore


def pair() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "positions0": torch.rand(5, 2, generator=generator),
        "descriptors0": torch.nn.functional.normalize(torch.randn(5, 8, generator=generator), dim=1),
        "matches0": torch.tensor([0, -1, -2, 3, 4]),
    }


def test_a_pair_is_made_once_and_comes_back(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, torch.Tensor]:
        made.append(1)
        return pair()

    first = PairStore(tmp_path, 4).pair(3, make)
    again = PairStore(tmp_path, 4).pair(3, make)
    assert len(made) == 1
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first["descriptors0"].dtype == torch.float32
    assert torch.equal(first["positions0"], pair()["positions0"])
    assert torch.equal(first["matches0"], pair()["matches0"])
    # float16 keeps eleven bits of numbers below 1.
    assert torch.allclose(first["descriptors0"], pair()["descriptors0"], atol=2**-11)


def test_a_damaged_pair_is_named(tmp_path: Path) -> None:
    store = PairStore(tmp_path, 4)
    store.pair(1, pair)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"0000001\.npz cannot be read .* delete it"):
        store.pair(1, pair)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        store.pair(1, pair)
    assert np.all([p.suffix == ".npz" for p in tmp_path.rglob("*") if p.is_file()])
