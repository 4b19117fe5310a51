"""`cyano export`, and the programs of its document."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cyano.export import Export, run
from support.commands import output, shifted_photographs
from support.commands import run as run_cyano

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "export.md"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--size", "640", "640x480"),
        ("--size", "8x8", "at least 16x16"),
        ("--parts", "detektor", "detector, matcher, pair"),
        ("--runtime-check", "trt", "openvino, onnxruntime, opencv"),
        ("--opset", "7", "opset"),
    ],
)
def test_usage(tmp_path: Path, option: str, value: str, message: str) -> None:
    result = run_cyano("export", tmp_path / "onnx", option, value)
    assert result.exit_code == 2
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_document(exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs run on the tiny export, all in one process as in a session."""
    pytest.importorskip("openvino", reason="one of the programs is for OpenVINO")
    first, second = shifted_photographs(tmp_path)
    shutil.move(first, tmp_path / "a.jpg")
    shutil.move(second, tmp_path / "b.jpg")
    shutil.copytree(exported.folder, tmp_path / "onnx")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```py\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), namespace)
    assert namespace["points0"].shape == namespace["points1"].shape  # type: ignore[attr-defined]


def test_summary(exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cyano.export

    monkeypatch.setattr(cyano.export, "export_networks", lambda *_, **__: exported)
    assert output(run_cyano("export", tmp_path / "onnx", "--json")) == exported.record
    told = run_cyano("export", tmp_path / "onnx", "--size", "640x480", "--parts", "detector,matcher").output
    assert "detector.onnx" in told
    assert "checked in onnxruntime" in told
    assert exported.record["format"] == run.FORMAT
