"""Every public name of the reference has an example in its docstring, and the examples run."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from support.movies import write_movie
from support.walk import render_walk, write_view, write_walk

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
MODULES = [
    module
    for page in sorted(REFERENCE.rglob("*.md"))
    for module in re.findall(r"^```\{public-names\} (\S+)", page.read_text(), re.MULTILINE)
]
SETUP = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = doctest.DocTestParser()


def _public() -> dict[str, Any]:
    """Classes and functions by their full name, each once."""
    found: dict[int, tuple[str, Any]] = {}
    for module in sorted(MODULES):
        for name in import_module(module).__all__:
            value = getattr(import_module(module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found.setdefault(id(value), (f"{module}.{name}", value))
    return dict(found.values())


def _methods(value: Any) -> Iterator[tuple[str, Any]]:
    """Public methods that the reference has with a class, properties left out."""
    for name in dir(value) if inspect.isclass(value) else ():
        home = next((base for base in value.__mro__ if name in vars(base)), value)
        function = getattr(vars(home).get(name), "__func__", vars(home).get(name))
        if name.startswith("_") or not inspect.isfunction(function) or not function.__module__.startswith("cyano."):
            continue
        if function.__doc__ and (home is value or _is_told_with_others(home)):
            yield name, function


def _is_told_with_others(base: type) -> bool:
    """Whether a base has no place of its own in the reference: see `without_a_page` in docs/_extensions."""
    return (
        base.__module__.startswith("cyano.")
        and not base.__module__.startswith("cyano.models")
        and not any(getattr(import_module(module), base.__name__, None) is base for module in MODULES)
    )


def _examples(value: Any) -> list[doctest.Example]:
    return EXAMPLES.get_examples(inspect.cleandoc(value.__doc__ or ""))


PUBLIC = _public()
METHODS = {f"{name}.{method}": function for name, value in PUBLIC.items() for method, function in _methods(value)}
OWNERS = {id(function): name.rpartition(".")[0] for name, function in reversed(METHODS.items())}
WITHOUT = {
    "a module is called, which calls it": r".*\.forward",
    "engines call it": r"cyano\.engine\.(\w+\.(plan|worker|run)|VerifyPairs\.open|Worker\.save)",
    "it is there for programs written for another, and does nothing": r"cyano\.adapters\.lightglue\.LightGlue\.compile",
    "a part of localise or localise_rig": r".*\.Localiser\.(localise_photograph|intrinsics|member|localise_members)",
    "a part of calling the object": r"cyano\.Super\w+\.(detect|preprocess)",
}
"""Why methods need no example, and which: a pattern of their full names."""
NEEDS = {"scene": re.compile("scene|collection"), "run": re.compile("run|collection")}
"""Which examples use the folders: it takes time to copy them."""


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with what the page of the reference says of its examples, and the names that it defines."""
    pytest.importorskip("pycolmap", reason="the examples work on a reconstruction")
    folder = tmp_path_factory.mktemp("examples")
    texture = np.kron(np.random.default_rng(0).integers(0, 256, (24, 32)), np.ones((10, 10))).astype(np.uint8)
    Image.fromarray(texture).save(folder / "a.jpg", quality=95)
    Image.fromarray(texture[10:, 20:]).save(folder / "b.jpg", quality=95)
    steps = [np.ascontiguousarray(texture[:160, 8 * step : 8 * step + 240, None].repeat(3, 2)) for step in range(4)]
    write_movie(folder / "walk.mp4", [0.2 * step for step in range(4)], codec="libx264", pictures=steps)
    write_walk(folder / "scene")
    (new,) = render_walk(at=[2.5])
    write_view(new, folder / "new.png")
    found = SETUP.search((REFERENCE / "python" / "index.md").read_text())
    assert found is not None
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(found[1], names)
    return folder, names


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(
    name: str, prepared: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, names = prepared
    value = PUBLIC[name]
    shown = [value, *(each for each in dict(_methods(value)).values() if OWNERS[id(each)] == name)]
    text = "".join(example.source for each in shown for example in _examples(each))
    for path in folder.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
        elif NEEDS[path.name].search(text):
            shutil.copytree(path, tmp_path / path.name, symlinks=True)
    monkeypatch.chdir(tmp_path)
    module = import_module(name.rpartition(".")[0])
    own = {each: getattr(module, each) for each in module.__all__}
    report: list[str] = []
    for each in shown:
        parsed = doctest.DocTest(_examples(each), own | names, each.__qualname__, name, None, None)
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(parsed, out=report.append)
    assert not report, "".join(report)


def test_every_public_name_has_an_example() -> None:
    assert [name for name, value in PUBLIC.items() if not _examples(value)] == []


def test_every_public_method_is_in_an_example() -> None:
    """Its own, or that of its class."""
    missing = []
    for name, function in METHODS.items():
        home, _, method = name.rpartition(".")
        shown = re.sub("  # .*", "", "".join(each.source for each in _examples(PUBLIC[home])))
        if not _examples(function) and not re.search(rf"\b{method}\(", shown):
            missing.append(name)
    assert [name for name in missing if not any(re.fullmatch(each, name) for each in WITHOUT.values())] == []
    for each in WITHOUT.values():
        assert any(re.fullmatch(each, name) for name in missing), f"nobody needs {each}"
