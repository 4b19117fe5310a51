"""Match the demo pair with cyano-rt, and compare with Cyano: compare_runtime.py ENVIRONMENT ENGINE."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from cyano import Matcher
from cyano.evaluation.demo_pair import load_demo_pair

SAME_PX = 0.1
"""Matches whose points differ by less are the same: engines round differently, by far less than that."""

LEAST = 0.995
"""Share of the matches that have to be the same; single ones at a threshold may differ."""


def main() -> None:
    """Run both, print, and end with 1 where they differ."""
    environment, engine = Path(sys.argv[1]), sys.argv[2]
    python = environment / "bin" / "python"
    absent = ["torch"] if engine == "opencv" else ["torch", "cv2"]
    program = f"from importlib.util import find_spec; assert not any(map(find_spec, {absent}))"
    subprocess.run([python, "-c", program], check=True)
    with tempfile.TemporaryDirectory() as folder:
        scene = load_demo_pair()
        paths = [str(Path(folder, f"{name}.png")) for name in ("left", "right")]
        for path, rgb in zip(paths, (scene.left, scene.right), strict=True):
            Image.fromarray(rgb).save(path)
        command = [environment / "bin" / "cyano-rt", "match", *paths, "--engine", engine, "--json"]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        found = _points(json.loads(run.stdout))
        expected = _points(Matcher.from_pretrained(device="cpu").match(*paths).to_dict())
    same = sum(bool((np.abs(found - each).max(axis=1) < SAME_PX).any()) for each in expected)
    print(f"{engine}: {len(found)} matches, {same} of Cyano's {len(expected)} the same within {SAME_PX} px")
    if same < LEAST * len(expected) or len(found) > len(expected) / LEAST:
        sys.exit(1)


def _points(document: dict[str, list[list[float]]]) -> np.ndarray:
    """(K, 4) both points of each match."""
    return np.hstack([document["keypoints0"], document["keypoints1"]])


if __name__ == "__main__":
    main()
