"""The distribution without torch: its public names, what is copied from Cyano, and that it works alone."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import cyano
import cyano_runtime

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime"
MODULES = sorted((RUNTIME / "src" / "cyano_runtime").glob("*.py"))


def _setup() -> ModuleType:
    """runtime/setup.py, not run."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools, which builds the wheel, is not installed")
    spec = importlib.util.spec_from_file_location("runtime_setup", RUNTIME / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_public_names_are_sorted_and_real() -> None:
    assert cyano_runtime.__all__ == sorted(cyano_runtime.__all__)
    for name in cyano_runtime.__all__:
        assert getattr(cyano_runtime, name) is not None
    for name, home in cyano_runtime._HOMES.items():
        assert name in import_module(home).__all__
    with pytest.raises(AttributeError, match="matchh"):
        cyano_runtime.matchh  # noqa: B018


def test_versions_agree() -> None:
    assert cyano_runtime.__version__ == cyano.__version__


def test_bounds_of_what_both_packages_need_agree() -> None:
    both = [tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, RUNTIME)]
    theirs, own = (set(project["dependencies"]) for project in both)
    assert own <= theirs
    assert both[0]["requires-python"] == both[1]["requires-python"]


def _imported(path: Path) -> set[str]:
    """Modules of Cyano that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    skipped = {id(child) for node in typing for child in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped and (node.module or "").startswith("cyano."):
            module = str(node.module).removeprefix("cyano.")
            deeper = {f"{module}.{alias.name}" for alias in node.names}
            found |= {name for name in deeper if (ROOT / "src/cyano" / f"{name.replace('.', '/')}.py").exists()} or {
                module
            }
    return found


def test_the_copied_modules_are_those_that_are_needed() -> None:
    """Nothing is missing in the wheel, and nothing is in it that nobody imports."""
    needed: set[str] = set()
    waiting = set().union(*(_imported(path) for path in MODULES))
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= _imported(ROOT / "src/cyano" / f"{name.replace('.', '/')}.py") - needed
    assert sorted(needed) == sorted(_setup().MODULES)


def test_rewriting_changes_imports_alone() -> None:
    source = 'from cyano.errors import X\n    from cyano import viz\nfrom cyano_runtime.a import b\n"from cyano.x"\n'
    assert _setup().rewritten(source) == source.replace(
        "from cyano.errors", "from cyano_runtime._cyano.errors"
    ).replace("from cyano import", "from cyano_runtime._cyano import")


@pytest.mark.parametrize(("engine", "refused"), [("opencv", ""), ("onnxruntime", ", cv2=None")])
def test_it_works_where_there_is_neither_torch_nor_cyano(tmp_path: Path, engine: str, refused: str) -> None:
    """Built as for the wheel, with imports of torch, Cyano and matplotlib refused; those of OpenCV where not needed."""
    pytest.importorskip("onnx", reason="the small export is written with onnx")
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="onnxruntime, which computes where there is no OpenCV, is missing")
    from support.tiny_export import COUNT, HIDDEN, write_tiny_export

    _setup()
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "lib")]
    built = subprocess.run(build, cwd=RUNTIME, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    write_tiny_export(tmp_path / "tiny")
    program = f"""
import sys
import tomllib
sys.modules.update(torch=None, cyano=None, matplotlib=None{refused})
import numpy as np
from cyano_runtime import Matcher
from cyano_runtime.cli import main
picture = np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8)
result = Matcher({str(tmp_path / "tiny")!r}, {engine!r}).match(picture, picture)
assert len(result) == {COUNT - HIDDEN}, result
assert result.draw_image().shape[2] == 3
Matcher({str(tmp_path / "tiny")!r}, {engine!r}).extract(np.kron(picture, np.ones((8, 8), np.uint8)))
main(["--version"])
"""
    environment = {"PYTHONPATH": str(tmp_path / "lib"), "HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"cyano-rt {cyano.__version__}\n"


@pytest.mark.parametrize("path", [*MODULES, RUNTIME / "setup.py"], ids=lambda path: path.name)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < 50, node.name
