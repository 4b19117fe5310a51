"""Every tensor says its dtype and its device: torch's defaults belong to the program that calls Cyano."""

from __future__ import annotations

import ast
from pathlib import Path

import cyano

SOURCE = Path(cyano.__file__).parent
CONSTRUCTORS = {
    *("arange", "as_tensor", "asarray", "empty", "empty_strided", "eye", "full", "hann_window", "linspace", "logspace"),
    *("ones", "rand", "randint", "randn", "randperm", "range", "scalar_tensor", "tensor", "tril_indices"),
    *("triu_indices", "vander", "zeros"),
}
LAYERS = {"BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "LayerNorm", "Linear", "Embedding"}


def missing(source: str) -> list[str]:
    """Lines of a module that make a tensor or a layer by torch's defaults."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    # Parameters go where torch's default device says, as in all modules, so that shapes can be built on "meta".
    parameters = {id(each.args[0]) for each in calls if _name(each.func) == "nn.Parameter" and each.args}
    found = []
    for call in calls:
        module, _, name = _name(call.func).rpartition(".")
        wanted: set[str] = set()
        if module == "torch" and name in CONSTRUCTORS:
            wanted = {"dtype"} if id(call) in parameters else {"dtype", "device"}
        elif module == "nn" and name in LAYERS:
            wanted = {"dtype"}
        given = {keyword.arg for keyword in call.keywords}
        if None not in given and wanted - given:
            found.append(f"{call.lineno}: {_name(call.func)} without {' and '.join(sorted(wanted - given))}")
    return found


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return f"{_name(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def test_all_tensors_say_where_and_what_they_are() -> None:
    found = {str(path.relative_to(SOURCE)): missing(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_rule_finds_what_it_should() -> None:
    assert missing("torch.zeros(3, dtype=d, device=e); torch.rand(2, **both); x.new_zeros(3); np.zeros(3)") == []
    assert missing("nn.Parameter(torch.tensor(1.0, dtype=d)); nn.Linear(2, 3, dtype=d)") == []
    assert missing("torch.zeros(3)\ntorch.tensor(1, device=e)\nnn.Conv2d(1, 1, 3)") == [
        "1: torch.zeros without device and dtype",
        "2: torch.tensor without dtype",
        "3: nn.Conv2d without dtype",
    ]
