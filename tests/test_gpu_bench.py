"""The bench for GPUs, at its smallest, on a CPU: that it runs, what it writes, what it says where there is no GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent


def _run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the bench, so that what it saves goes elsewhere."""
    for name in ("gpu", "gpu_parity", "gpu_training", "measuring"):
        (folder / f"{name}.py").write_text((ROOT / "benchmarks" / f"{name}.py").read_text())
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(folder / "gpu.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_bench_measures_all_it_promises(tmp_path: Path) -> None:
    pytest.importorskip("skimage.data", reason="scikit-image brings the pair")
    done = _run("--device", "cpu", "--quick", "--save", "cpu", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "results" / "cpu.json").read_text())
    results = record["results"]
    assert record["versions"]["torch"] == results["device"]["torch"] == torch.__version__
    parity = {row["what"]: row for row in results["parity with a CPU"]}
    assert list(parity) == ["float32", "mixed", "bfloat16", "float16", "batches of 8 images, float32"]
    assert parity["float32"]["matches_cpu"] > 50
    # The modules against the fast forms: sums in another order.
    assert parity["float32"]["matches_same"] == parity["float32"]["keypoints_again"] == 1
    assert parity["float32"]["largest_score_difference"] < 1e-4
    assert parity["batches of 8 images, float32"]["keypoints_again"] == 1
    for half in ("mixed", "bfloat16", "float16"):
        assert parity[half]["matches_same"] > 0.9
        assert parity[half]["largest_score_difference"] > parity["float32"]["largest_score_difference"]
    rows = {tuple(row[name] for name in ("precision", "pairs", "from")) for row in results["pairs"]}
    assert rows == {(a, b, c) for a in ("float32", "bfloat16") for b in (1, 2) for c in ("features", "images")}
    assert {row["keypoints"] for row in results["pairs"]} == {32, 64}
    assert all(row["median_s"] > 0 for row in results["pairs"] + results["detector"])
    stages = {(row["stage"], row["precision"]): row["steps_per_s"] for row in results["training"]}
    assert stages.keys() == {(a, b) for a in ("matcher", "joint") for b in ("float32", "bfloat16")}
    assert min(stages.values()) > 0
    assert "parity with a CPU" in done.stdout
    assert "ms each" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_the_bench_says_what_to_do(tmp_path: Path) -> None:
    done = _run(folder=tmp_path)
    assert done.returncode == 2
    assert "device 'cuda' cannot be used" in done.stderr
    assert "--device cpu --quick tries the program without one" in done.stderr
    assert ("install the build for your driver" in done.stderr) == (torch.version.cuda is None)
    assert "Traceback" not in done.stderr
