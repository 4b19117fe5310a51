"""The examples in docstrings of public names run; each name of `cyano` and `cyano.geometry` has one."""

from __future__ import annotations

import doctest
import inspect
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cyano
import cyano.geometry

MODULES = (cyano, cyano.geometry)
OBJECTS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
}


@pytest.mark.parametrize("name", OBJECTS)
def test_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texture = np.kron(np.random.default_rng(0).integers(0, 256, (24, 32)), np.ones((10, 10))).astype(np.uint8)
    Image.fromarray(texture).save("a.jpg", quality=95)
    Image.fromarray(texture[10:, 20:]).save("b.jpg", quality=95)
    value = OBJECTS[name]
    names = {"cyano": cyano, "np": np, "ImageSize": cyano.ImageSize} | vars(cyano.geometry)
    parsed = doctest.DocTestParser().get_doctest(inspect.getdoc(value) or "", names, name, None, 0)
    assert parsed.examples, "no example"
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed, out=report.append)
    assert not report, "".join(report)
