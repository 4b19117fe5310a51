from __future__ import annotations

from collections.abc import Iterator

import pytest

from cyano.native import library


def _forget() -> None:
    for cached in (library.target, library.function):
        cached.cache_clear()


@pytest.fixture(params=library.TARGETS)
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every target that this machine has, one after the other."""
    if request.param not in library.available():
        pytest.skip(f"no kernels for {request.param} here: {library.available()}")
    monkeypatch.setenv(library.VARIABLE, request.param)
    _forget()
    yield request.param
    _forget()


@pytest.fixture
def by_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without kernels."""
    monkeypatch.setenv(library.VARIABLE, "0")
    _forget()
    yield
    _forget()
