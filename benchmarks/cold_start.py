"""What one `cyano match` costs in a process of its own, beside `import torch` and the help alone.

Seconds of processor time, user and system, on one thread: waiting for a disk or for other programs does not count.
`--source` is the src of another version of the package, which is measured in turns with this one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from cyano.evaluation.demo_pair import load_demo_pair
from measuring import save, summary


def processor_seconds(command: list[str], folder: str, source: Path | None) -> float:
    """User and system time of a command that has to succeed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if source is not None:
        environment["PYTHONPATH"] = str(source.resolve())
    before = os.times()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--source", type=Path)
    arguments = parser.parse_args()
    program = str(Path(sys.executable).with_name("cyano"))
    matching = [program, "match", "left.jpg", "right.jpg", "--out", "out"]
    contenders: dict[str, tuple[list[str], Path | None]] = {
        "match": (matching, None),
        "import torch": ([sys.executable, "-c", "import torch"], None),
        "help": ([program, "match", "--help"], None),
    }
    if arguments.source is not None:
        contenders["match before"] = (matching, arguments.source)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        scene = load_demo_pair()
        for name, rgb in (("left", scene.left), ("right", scene.right)):
            Image.fromarray(rgb).save(Path(folder, f"{name}.jpg"), quality=95)
        for _ in range(arguments.repeats):
            for name, (command, source) in contenders.items():
                seconds[name].append(processor_seconds(command, folder, source))
    results = {name: summary(each) for name, each in seconds.items()}
    for name, each in results.items():
        print(f"{name}: {each}")
    print(save("cold_start", 0, {"unit": "processor seconds of one process, one thread", **results}))


if __name__ == "__main__":
    main()
