from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cyano import Matcher
from cyano.errors import InputError
from cyano.native import library
from support.images import photograph

PROGRAM = """
import sys, torch
from cyano.native import library
print(library.target(), library.status(), sep="|")
"""


def said(value: str | None) -> str:
    environment = {name: text for name, text in os.environ.items() if name != library.VARIABLE}
    if value is not None:
        environment[library.VARIABLE] = value
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=environment)
    return run.stdout.strip() or run.stderr.strip().splitlines()[-1]


def test_the_environment_chooses() -> None:
    assert said("0") == "None|none, as CYANO_NATIVE=0 says"
    there = library.available()
    best = there[0] if there else None
    assert said(None).split("|")[0] == str(best)
    for target in there:
        assert said(target) == f"{target}|{target}"
    assert "CYANO_NATIVE=sse cannot be used here" in said("sse")
    assert "choose one of 0" in said("sse")


def test_a_library_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library._library.cache_clear()
    monkeypatch.setattr(library, "_LIBRARY", tmp_path / "kernels.so")
    monkeypatch.delenv(library.VARIABLE, raising=False)
    library.target.cache_clear()
    assert library.target() is None
    assert library.status() == "none: the library is not compiled, or does not fit this system"
    assert not library.serves(torch.zeros(1))
    with pytest.raises(RuntimeError, match="ask target"):
        library.function("suppress", "piiipi")
    library.target.cache_clear()
    monkeypatch.setenv(library.VARIABLE, "avx2")
    with pytest.raises(InputError, match="CYANO_NATIVE=avx2 cannot be used here"):
        library.target()
    monkeypatch.undo()
    library._library.cache_clear()
    library.target.cache_clear()


def test_too_little_memory_is_told(target: str) -> None:
    with pytest.raises(MemoryError, match="not enough memory for suppress"):
        library.function("suppress", "piiipi")(None, 2**30, 2**30, 1, None, 1)


def test_a_match_is_the_same_with_and_without(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.asarray(photograph(240, 320))
    native = Matcher.from_pretrained().match(image, image[8:, 5:])
    library.target.cache_clear()
    monkeypatch.setenv(library.VARIABLE, "0")
    plain = Matcher.from_pretrained().match(image, image[8:, 5:])
    assert len(plain.keypoints0) == len(native.keypoints0) > 50
    np.testing.assert_allclose(native.keypoints0, plain.keypoints0, atol=1e-3)
    # A patch that hardly anything holds across an edge stops where rounding has it.
    apart = np.abs(native.keypoints1 - plain.keypoints1).max(1)
    assert np.quantile(apart, 0.99) < 2e-3
    assert apart.max() < 0.05
    np.testing.assert_allclose(native.scores, plain.scores, atol=1e-3)
