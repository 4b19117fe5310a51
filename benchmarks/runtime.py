"""What cyano-runtime costs without torch, and whether it finds what Cyano finds.

`--environments` is the folder of `scripts/runtime DIR`, which has one environment for each engine: their sizes, starts
and memory are measured. Matches and processor seconds are compared on pairs of the evaluation sets in `--data`, spread
evenly, each engine and Cyano on one core in turns; OpenCV is hidden from the engines that do without it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import Distribution, distributions
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyano.evaluation.metrics import pose_auc
from cyano.geometry import Camera, estimate_relative_pose, pose_error
from cyano.pairs import Pair, read_pairs
from measuring import RESULTS, in_turns, installed, save, summary

ENGINES = ("onnxruntime", "openvino", "opencv")
TOOLS = ("pip", "setuptools")
SAME_PX = 0.1

MATCHING = """
import sys
from cyano_runtime import Matcher
Matcher(engine=sys.argv[1]).match(*sys.argv[2:])
print([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1])
"""


def pairs_of(data: Path, count: int) -> list[tuple[Path, Pair]]:
    """About so many of the pairs that the sets list, spread evenly, each with the folder that its names are in."""
    files = sorted(data.glob("*/pairs.txt"))
    listed = [(file.parent, pair) for file in files for pair in read_pairs(file)]
    if not listed:
        raise SystemExit(f"{data} has no sets with a pairs.txt")
    return [listed[round(i)] for i in np.linspace(0, len(listed) - 1, min(count, len(listed)))]


def names_of(chosen: tuple[Path, Pair]) -> tuple[str, str]:
    """The two files."""
    folder, pair = chosen
    return str(folder / pair.name0), str(folder / pair.name1)


def degrees(matches: np.ndarray, pair: Pair) -> float:
    """The error of the relative pose from (K, 4) matches, infinite where there is none."""
    if pair.K0 is None or pair.K1 is None or pair.T_0to1 is None:
        raise SystemExit(f"{pair.name0} {pair.name1} has no ground truth")
    cameras = Camera.from_matrix(pair.K0), Camera.from_matrix(pair.K1)
    found = estimate_relative_pose(matches[:, :2], matches[:, 2:], *cameras)
    if not np.isfinite(found.T_0to1).all():
        return float("inf")
    return float(pose_error(pair.T_0to1, found.T_0to1[:3, :3], found.T_0to1[:3, 3]).worst)


def serve(connection: Connection, name: str, pairs: list[tuple[str, str]]) -> None:
    """Cyano or an engine of the runtime on one core: the next pair's matches and processor seconds at each request."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if name == "cyano":
        import torch

        from cyano import Matcher

        torch.set_num_threads(1)
        match = Matcher.from_pretrained(device="cpu").match
    else:
        from cyano.processing import resampling
        from cyano_runtime import Matcher as Runtime
        from cyano_runtime import RuntimeOptions

        if name != "opencv":
            resampling.cv2 = None  # type: ignore[assignment]
        threads = None if name == "opencv" else 1
        match = Runtime(engine=name, options=RuntimeOptions(threads=threads)).match
    match(*pairs[0])
    connection.send(name)
    waiting = iter(pairs)
    while connection.recv():
        pair = next(waiting)
        start = time.process_time()
        found = match(*pair)
        seconds = time.process_time() - start
        connection.send((seconds, np.hstack([found.keypoints0, found.keypoints1]), len(found.image0.keypoints)))


def compared(data: Path, count: int) -> dict[str, Any]:
    """The engines beside Cyano on the same pairs."""
    chosen = pairs_of(data, count)
    pairs = [names_of(each) for each in chosen]
    contenders = {name: (name, pairs) for name in ("cyano", *ENGINES)}
    answers = {name: given for name, (_, given) in in_turns(contenders, serve, len(pairs)).items()}
    results: dict[str, Any] = {"pairs": len(pairs), "matches": sum(len(points) for _, points, _ in answers["cyano"])}
    for name, given in answers.items():
        ratios = [mine[0] / theirs[0] for mine, theirs in zip(given, answers["cyano"], strict=True)]
        results[name] = {
            "processor_s": summary([each[0] for each in given]),
            "ratio": round(statistics.median(ratios), 3),
            "pose_AUC_5_10_20": pose_auc_of(
                [degrees(each[1], pair) for each, (_, pair) in zip(given, chosen, strict=True)]
            ),
        }
        if name == "cyano":
            continue
        both = [shared(mine[1], theirs[1]) for mine, theirs in zip(given, answers["cyano"], strict=True)]
        results[name] |= {
            "found": sum(len(mine[1]) for mine in given),
            "same_within_0.1px": sum(both),
            "pairs_all_the_same": sum(
                same == len(mine[1]) == len(theirs[1])
                for same, mine, theirs in zip(both, given, answers["cyano"], strict=True)
            ),
        }
    return results


def pose_auc_of(errors: list[float]) -> list[float]:
    """In percent, at 5, 10 and 20 degrees."""
    return [round(100 * each, 2) for each in pose_auc(errors)]


def shared(mine: np.ndarray, theirs: np.ndarray) -> int:
    """How many of (K, 4) matches are among others within `SAME_PX`."""
    if not len(mine):
        return 0
    return sum(bool((np.abs(mine - each).max(axis=1) < SAME_PX).any()) for each in theirs)


def sizes(environment: Path) -> dict[str, float]:
    """MB of the files of each package, as installed, and of all of them together."""
    folder = next(environment.glob("lib/python3*/site-packages"))
    there = {each.metadata["Name"].lower(): _megabytes(each) for each in distributions(path=[str(folder)])}
    found = {name: size for name, size in sorted(there.items()) if name not in TOOLS}
    return {name: round(size, 1) for name, size in [*found.items(), ("all", sum(found.values()))]}


def _megabytes(package: Distribution) -> float:
    paths = [Path(str(each.locate())) for each in package.files or ()]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def started(environment: Path, engine: str, pair: tuple[str, str], repeats: int) -> dict[str, Any]:
    """Processor seconds of processes of an engine's environment, and the peak memory of a pair."""
    python, program = str(environment / "bin" / "python"), str(environment / "bin" / "cyano-rt")
    commands = {
        "help": [program, "--help"],
        "import": [python, "-c", "import cyano_runtime"],
        "import of Matcher": [python, "-c", "from cyano_runtime import Matcher"],
        "start": [python, "-c", f"from cyano_runtime import Matcher; Matcher(engine={engine!r})"],
        "match": [program, "match", *pair, "--engine", engine],
    }
    results: dict[str, Any] = {
        name: summary([_seconds(each) for _ in range(repeats)]) for name, each in commands.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, images in (("peak memory", pair), ("peak memory, 12 megapixels", enlarged(pair, Path(folder)))):
            peak = int(_run([python, "-c", MATCHING, engine, *images]))
            results[name] = {"MB": round(peak * 1024 / 1e6, 1)}
    return results


def enlarged(pair: tuple[str, str], folder: Path) -> tuple[str, str]:
    """The pair as photographs of 12 megapixels, in JPEG."""
    paths = folder / "a.jpg", folder / "b.jpg"
    for source, path in zip(pair, paths, strict=True):
        Image.open(source).convert("RGB").resize((4000, 3000)).save(path, quality=90)
    return str(paths[0]), str(paths[1])


def _run(command: list[str]) -> str:
    """What a program says that finds nothing but what is installed in its environment."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=alone).stdout


def _seconds(command: list[str]) -> float:
    before = os.times()
    _run(command)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, help="without it sizes, starts and memory stay as they are saved")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    if arguments.environments is None:
        results = json.loads((RESULTS / "runtime.json").read_text())["results"]
    else:
        folders = {name: arguments.environments / name for name in ENGINES}
        pair = names_of(pairs_of(arguments.data, 1)[0])
        results["installed_MB"] = {name: sizes(folder) for name, folder in folders.items()}
        results["processes"] = {name: started(at, name, pair, arguments.repeats) for name, at in folders.items()}
    results["engines"] = {name: installed(name) for name in ("onnxruntime", "openvino")}
    results["matches"] = compared(arguments.data, arguments.pairs)
    print(json.dumps(results, indent=1))
    print(save("runtime", 0, results))


if __name__ == "__main__":
    main()
