"""The package as a whole: its public names, what importing it costs, and who imports whom."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cyano

SOURCE = Path(cyano.__file__).parent
EXAMPLE = re.compile(r"^\n +Example:\n(?: +(?!\"\"\")\S.*\n)+", re.MULTILINE)
MODULES = sorted(SOURCE.rglob("*.py"))


def test_public_names_are_sorted_and_real() -> None:
    assert cyano.__all__ == sorted(cyano.__all__)
    for name in cyano.__all__:
        assert getattr(cyano, name) is not None
    assert set(cyano._HOMES) == set(cyano.__all__) - {"__version__"}
    for name, home in cyano._HOMES.items():
        assert name in import_module(home).__all__


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="matchh"):
        cyano.matchh  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    heavy = ["torch", "cv2", "matplotlib", "numpy", "PIL", "poselib", "huggingface_hub", "transformers"]
    program = f"import cyano, sys; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_product_does_not_need_transformers() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "transformers" for name in names), path


def test_layers_are_kept() -> None:
    """`lint-imports` enforces the layers in scripts/lint; here the contract is run as a test as well."""
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    root = Path(__file__).parents[1]
    paths = {"PYTHONPATH": f"src{os.pathsep}{Path('runtime', 'src')}"}
    command = [program, "--no-cache"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=os.environ | paths)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(EXAMPLE.sub("", text).splitlines()) <= 300  # examples in docstrings do not count
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The signature and the docstring describe; what follows is what there is to understand.
            first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
            length = (node.end_lineno or node.lineno) - first.lineno + 1
            assert length < 50, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_modules_say_what_they_export(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a docstring says what the module is for"
    if path.name == "__init__.py" and path.parent != SOURCE:
        return
    assigned = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    assert "__all__" in assigned or "cli" in path.parts
