"""`cyano-rt`: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="the small export is written with onnx")

from cyano_runtime.cli import main
from support.tiny_export import COUNT, HIDDEN, write_tiny_export


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: two pictures and an export."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    soft = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(120, 160)), (0, 0), 2)
    Image.fromarray((128 + 40 * soft / soft.std()).clip(0, 255).astype(np.uint8)).save("a.png")
    Image.open("a.png").save("b.png")
    write_tiny_export(tmp_path / "tiny")
    return tmp_path


def test_match_prints_and_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = ["--picture", "out.png", "--save-json", "out.json", "--npz", "out.npz"]
    main(["match", "a.png", "b.png", "-w", "tiny", "--engine", "opencv", *outputs])
    told = capsys.readouterr().out
    assert f"keypoints  {COUNT - HIDDEN} and {COUNT - HIDDEN}" in told
    assert "by opencv" in told
    assert "tiny (Apache-2.0)" in told
    with Image.open("out.png") as picture:
        assert picture.width > 160
    assert json.loads(Path("out.json").read_text())["format"] == "cyano-matches-1"
    with np.load("out.npz") as stored:
        assert len(stored["matches0"]) == COUNT - HIDDEN


def test_json_is_all_of_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["match", "a.png", "b.png", "-w", "tiny", "--json", "--max-keypoints", "7", "--no-align"])
    document = json.loads(capsys.readouterr().out)
    assert len(document["keypoints0"]) == 7
    assert document["weights"] == "tiny"
    assert document["engine"] in ("openvino", "onnxruntime", "opencv")


def test_extract_and_sizes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["extract", "a.png", "-o", "a.npz", "-w", "tiny", "--resize", "80x60"])
    assert "keypoints" in capsys.readouterr().out
    with np.load("a.npz") as stored:
        assert stored["descriptors"].shape[1] == 32
        assert np.array_equal(stored["image_size"], [120, 160])


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["match", "a.png", "no.png", "-w", "tiny"], 1, "no.png: there is no such file"),
        (["match", "a.png", "b.png", "-w", "nowhere"], 1, "there is no file nowhere"),
        (["match", "a.png", "b.png", "-w", "tiny", "--resize", "big"], 2, "--resize takes -1"),
        (["match", "a.png", "b.png", "-w", "tiny", "--resize", "0"], 2, "0"),
        (["match", "a.png", "b.png", "-w", "tiny", "--threads", "-3"], 2, "threads must be"),
        (["match", "a.png", "b.png", "-w", "tiny", "--picture", "a.pdf"], 2, "pictures are written as"),
        (["match", "a.png", "b.png", "-w", "tiny", "--max-keypoints", "0"], 2, "max_keypoints must be"),
        (["extract", "a.png", "-o", "a.npz", "-w", "tiny", "--max-keypoints", "99"], 2, f"at most {COUNT} keypoints"),
        (["match", "a.png", "b.png", "-w", "tiny", "--save-json", "a.png/x.json"], 1, "a.png"),
        (["match", "a.png"], 2, "the following arguments are required: B"),
        (["match", "a.png", "b.png", "--engine", "tensorrt"], 2, "invalid choice"),
        (["march"], 2, "invalid choice"),
        ([], 2, "required"),
    ],
)
def test_errors_are_one_line_and_a_code(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code
    printed = capsys.readouterr()
    assert reason in printed.err
    assert printed.out == ""
    if not printed.err.startswith("usage: "):
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["match", "a.png", "b.png", "--picture", "a.png"],
        ["match", "link.png", "b.png", "--picture", "a.png"],
        ["match", "a.png", "b.png", "--save-json", "b.png", "--npz", "b.png"],
        ["match", "a.png", "b.png", "--picture", "z.png", "--save-json", "z.png"],
        ["extract", "a.png", "--out", "a.png"],
    ],
)
def test_inputs_and_other_outputs_are_not_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    Path("link.png").symlink_to("a.png")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "-w", "tiny"])
    told = f"error: {arguments[-1]} is an input or another output already; give each its own name\n"
    assert capsys.readouterr().err == told
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_the_start_loads_no_engine_and_no_picture_library() -> None:
    heavy = ["torch", "numpy", "cv2", "PIL", "onnxruntime", "openvino", "matplotlib"]
    program = f"import cyano_runtime.cli, sys; print([name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).parents[2]
    path = f"{root / 'src'}:{root / 'runtime' / 'src'}"
    run = [sys.executable, "-c", program]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, env={"PYTHONPATH": path}).stdout
    assert printed.strip() == "[]"


def test_without_an_engine(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("openvino", "onnxruntime", "cv2"):
        monkeypatch.setitem(sys.modules, module, None)
    main(["env", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["onnxruntime"] is told["opencv"] is told["engine"] is None
    with pytest.raises(SystemExit, match="1"):
        main(["match", "a.png", "b.png", "-w", "tiny"])
    expected = "error: no engine for the networks is installed: pip install 'cyano-runtime[onnxruntime]'\n"
    assert capsys.readouterr().err == expected
