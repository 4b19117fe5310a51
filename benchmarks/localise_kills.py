"""Kill a run over 200 photographs to localise at random moments, let it go on, and compare with an undisturbed run.

usage: scripts/bench localise_kills [--kills N] [--queries N] [--save NAME]

A rendered scene of six photographs is reconstructed; the photographs to localise are three others of it, in as many
exposures as it takes, each matched with the image that looks most like it. What is killed does what `cyano localise
--out` does. Each kill is a SIGKILL; the same run then goes on. In the end every photograph has one line,
poses and counts are those of the undisturbed run, and the files that follow from the lines are, too.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import measuring
from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.localisation import LocaliseOptions, Localiser, Map
from cyano.localisation.output.results import Results
from cyano.localisation.queries import find_queries
from cyano.localisation.run import localise_queries
from cyano.options import MatcherOptions
from support.localised import FEW, QUERIES, make_scene

SEED = 0


def write_queries(source: Path, folder: Path, count: int) -> None:
    """The photographs in several exposures."""
    folder.mkdir()
    names = sorted(QUERIES)
    for number in range(count):
        with Image.open(source / names[number % len(names)]) as image:
            pixels = np.asarray(image.convert("L"), np.float32)
        gain = 1 - 0.5 * (number // len(names)) / (count / len(names))
        Image.fromarray(np.rint(gain * pixels).astype(np.uint8)).save(folder / f"{number:03d}.png")


def child(queries: Path, model: Path, images: Path, out: Path) -> None:
    """What is killed."""
    torch.set_num_threads(1)
    recipe = Recipe(load(), MatcherOptions(max_keypoints=int(FEW[1])))
    options = LocaliseOptions(top_k=1, all_up_to=0, expand=False, seed=SEED)
    localiser = Localiser(Map.open(model, recipe, images), options)
    results = Results(out, localiser)
    for _ in localise_queries(localiser, find_queries(queries), results):
        pass
    results.finish()


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """The command, which tells nothing."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lines_of(out: Path) -> list[dict[str, Any]]:
    """The whole lines of the results."""
    path = out / "localisations.jsonl"
    if not path.exists():
        return []
    *whole, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in whole]


def killed(command: list[str], out: Path, kills: int, longest_s: float) -> list[int]:
    """Kill and go on; the number of photographs that were done at each kill."""
    rng, done = np.random.default_rng(SEED), []
    while len(done) < kills:
        run = started(command)
        time.sleep(float(rng.uniform(0, longest_s)))
        if run.poll() is not None:
            break
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        done.append(len(lines_of(out)))
        print(f"killed, {done[-1]} photographs done", flush=True)
    return done


def main() -> None:
    """Parse the arguments, kill, compare, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    parser.add_argument("--child", type=Path, nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # sums are rounded otherwise with another number of threads
    with tempfile.TemporaryDirectory() as folder:
        scene = make_scene(Path(folder))
        queries = Path(folder, "photographs")
        write_queries(scene.queries, queries, arguments.queries)
        base = [sys.executable, __file__, "--child", str(queries), str(scene.model), str(scene.images)]
        outs = {name: Path(folder, name) for name in ("undisturbed", "disturbed")}
        start = time.perf_counter()
        started([*base, str(outs["undisturbed"])]).wait()
        alone_s = time.perf_counter() - start
        command = [*base, str(outs["disturbed"])]
        done = killed(command, outs["disturbed"], arguments.kills, 2 * alone_s / arguments.kills)
        status = started(command).wait()
        expected, found = (lines_of(out) for out in outs.values())
        same = [name for name in ("poses.txt", "failed.txt") if
                (outs["undisturbed"] / name).read_bytes() == (outs["disturbed"] / name).read_bytes()]  # fmt: skip
        names = [line["name"] for line in found]
        results = {
            "photographs": arguments.queries,
            "kills": len(done),
            "done at each kill": done,
            "exit status at the end": status,
            "lines": len(names),
            "lost": arguments.queries - len(set(names)),
            "doubled": len(names) - len(set(names)),
            "different": sum(one != other for one, other in zip(expected, found, strict=False)),
            "ok": sum(line["status"] == "ok" for line in found),
            "equal files": same,
        }
    print(json.dumps(results, indent=1))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
