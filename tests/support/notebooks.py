"""Run notebooks without Jupyter: the code cells in order, each showing its last expression."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

CELL_KEYS = {
    "markdown": {"cell_type", "id", "metadata", "source"},
    "code": {"cell_type", "id", "metadata", "source", "execution_count", "outputs"},
}


def read_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook, checked against the schema of nbformat 4.5 as far as it concerns them."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert isinstance(notebook["metadata"], dict)
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    for cell in notebook["cells"]:
        assert set(cell) == CELL_KEYS[cell["cell_type"]]
        assert all(isinstance(line, str) for line in cell["source"])
        assert 1 <= len(cell["id"]) <= 64
    return list(notebook["cells"])


def shown(path: Path) -> list[dict[str, Any]]:
    """What a notebook displays under each of its code cells, by MIME type; empty for a cell without a value."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    displays = []
    for cell in read_cells(path):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{path.name}:{cell['id']}", "exec"), namespace)
        value = None if last is None else eval(compile(ast.Expression(last.value), path.name, "eval"), namespace)
        displays.append({} if value is None else _display(value))
    return displays


def _display(value: object) -> dict[str, Any]:
    """As IPython's formatters do: every representation that the object offers and that is not None."""
    methods = {"text/html": "_repr_html_", "image/png": "_repr_png_"}
    offered = {kind: getattr(value, name)() for kind, name in methods.items() if hasattr(value, name)}
    return {"text/plain": repr(value)} | {kind: content for kind, content in offered.items() if content is not None}
