"""The example in C++ is built and gives the matches that Python gets of the same graph."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from cyano.export import Export
from cyano.export.checks import JOINED
from cyano.export.engines import loaded
from cyano.export.parity import pictures
from cyano.types import ImageSize

SOURCE = Path(__file__).parents[2] / "examples" / "cpp" / "match.cpp"
HEADER = "onnxruntime_cxx_api.h"


def _header_folder() -> Path:
    """Of onnxruntime's headers: of the system, or of an unpacked release that ONNXRUNTIME_HOME names."""
    home = os.environ.get("ONNXRUNTIME_HOME")
    places = [Path("/usr/include/onnxruntime"), Path("/usr/local/include/onnxruntime"), Path("/usr/include")]
    for place in [*([Path(home) / "include"] if home else []), *places]:
        if (place / HEADER).exists():
            return place
    pytest.skip("onnxruntime's headers are not here: install libonnxruntime-dev, or set ONNXRUNTIME_HOME to a release")


def test_example(exported: Export, tmp_path: Path) -> None:
    headers = _header_folder()
    compiler = shutil.which("g++") or pytest.skip("g++ is not installed")
    program, home = tmp_path / "match", os.environ.get("ONNXRUNTIME_HOME")
    where = [f"-L{home}/lib", f"-Wl,-rpath,{home}/lib"] if home else []
    build = [compiler, "-std=c++17", "-O1", str(SOURCE), f"-I{headers}", *where, "-lonnxruntime", "-o", str(program)]
    made = subprocess.run(build, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    greys = [np.rint(view * 255).astype(np.uint8) for view in pictures(ImageSize(120, 160), 1)]
    paths = [tmp_path / "a.pgm", tmp_path / "b.pgm"]
    for path, grey in zip(paths, greys, strict=True):
        cv2.imwrite(str(path), grey)
    graph = exported.folder / "pair.onnx"
    ran = subprocess.run([program, graph, *paths], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = np.loadtxt(ran.stdout.splitlines(), ndmin=2)
    inputs = {f"image{side}": grey[None, None].astype(np.float32) / 255 for side, grey in enumerate(greys)}
    found = loaded(graph.read_bytes(), "onnxruntime", JOINED)(inputs)
    matched = found["matches0"][0] >= 0
    points = found["keypoints0"][matched], found["keypoints1"][found["matches0"][0][matched]]
    assert matched.sum() > 0
    np.testing.assert_allclose(told[:, :4], np.hstack(points), atol=1e-3)  # four decimals are printed
    damaged = subprocess.run([program, graph, paths[0], SOURCE], capture_output=True, text=True, check=False)
    assert damaged.returncode == 1
    assert "not a binary PGM" in damaged.stderr
