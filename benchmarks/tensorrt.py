"""A fixed export in TensorRT, CUDA and on the processor, by onnxruntime, on a machine with a GPU.

usage: scripts/bench tensorrt EXPORT [--repeats N] [--save NAME]

EXPORT is a folder of `cyano export EXPORT --size 640x480 --max-keypoints 1024`. The package onnxruntime-gpu has to be
there instead of onnxruntime, and TensorRT for its part. Told are seconds of pair.onnx and how far its matches agree
with the processor's; providers that are absent are named and left out. TensorRT computes in float32: half precision
moves keypoints, and factors of the transport exceed it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import measuring
from cyano.export.parity import pictures
from cyano.reading import read_json
from cyano.types import ImageSize

PROVIDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "processor": ("CPUExecutionProvider", {}),
    "CUDA": ("CUDAExecutionProvider", {"use_tf32": "0"}),
    "TensorRT": ("TensorrtExecutionProvider", {"trt_fp16_enable": False}),
}
NAMES = ["keypoints0", "keypoints1", "matches0", "matching_scores0"]


def points(found: list[np.ndarray]) -> np.ndarray:
    """(n, 4): both ends of each match."""
    keypoints0, keypoints1, matches, _ = found
    matched = matches[0] >= 0
    return np.hstack([keypoints0[matched], keypoints1[matches[0][matched]]])


def same_share(one: np.ndarray, other: np.ndarray) -> float:
    """Matches that both have within 0.1 px, over those that either has."""
    if not len(one) or not len(other):
        return float(len(one) == len(other))
    both = int((np.abs(one[:, None] - other[None]).max(2).min(1) < 0.1).sum())
    return both / (len(one) + len(other) - both)


def main() -> None:
    """Run all providers that are there, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    record: dict[str, Any] = read_json(arguments.export / "export.json")
    size = record["options"]["size"]
    if size == "dynamic":
        raise SystemExit("TensorRT wants constant sizes; export with --size 640x480")
    width, height = (int(side) for side in size.split("x"))
    views = pictures(ImageSize(height, width), 0)
    inputs = {f"image{side}": view[None, None] for side, view in enumerate(views)}
    table: dict[str, Any] = {}
    expected: np.ndarray | None = None
    for name, provider in PROVIDERS.items():
        if provider[0] not in onnxruntime.get_available_providers():
            print(name, "is not here")
            continue
        session = onnxruntime.InferenceSession(arguments.export / "pair.onnx", providers=[provider])
        found = points(session.run(NAMES, inputs))  # not counted: TensorRT builds its engine
        expected = found if expected is None else expected
        seconds = []
        for _ in range(arguments.repeats):
            start = time.perf_counter()
            session.run(NAMES, inputs)
            seconds.append(time.perf_counter() - start)
        same = round(same_share(found, expected), 4)
        table[name] = {**measuring.summary(seconds), "matches": len(found), "same_matches": same}
        print(name, table[name])
    if arguments.save:
        measuring.save(arguments.save, 0, {"size": size, "onnxruntime": onnxruntime.__version__, "providers": table})


if __name__ == "__main__":
    main()
