"""Files that were damaged at random: each is read, or is one error of Cyano's that names it, and at once.

usage: scripts/bench mutations [--count N] [--only KIND] [--seed N] [--save NAME]

A sound file of each kind is changed N times: bytes overwritten, bits flipped, parts cut out, doubled, moved or filled
with text, numbers replaced by extreme ones, the end cut off. Each result goes to a process of its own that reads it,
with a limit of twenty seconds for each file. Whatever else happens there, a traceback, a signal, a hang, fails the
benchmark.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.errors import CyanoError

LIMIT_S = 20.0
START_S = 600.0  # to load the libraries, on a machine that has other things to do
EXTREMES = [
    b"-1",
    b"0",
    b"1e999",
    b"nan",
    b"inf",
    b"9" * 30,
    b"[" * 300,
    b"{}",
    b"null",
    b'"',
    b"\xff\xfe",
    b"\0",
    b"-5",
]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to four changes."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        start, stop = np.sort(rng.integers(0, len(data) + 1, 2)).tolist()
        stop = min(stop, start + int(rng.integers(1, 200)))
        change = int(rng.integers(8))
        if change == 0:
            data[start:stop] = rng.integers(0, 256, stop - start, np.uint8).tobytes()
        elif change == 1 and start < len(data):
            data[start] ^= 1 << int(rng.integers(8))
        elif change == 2:
            del data[start:stop]
        elif change == 3:
            data[start:start] = data[start:stop]
        elif change == 4:
            data[start : start + 8] = rng.choice(np.array([2**63, 2**31, 2**16, 1, 0], np.uint64)).tobytes()
        elif change == 5:
            data[start:start] = EXTREMES[int(rng.integers(len(EXTREMES)))]
        elif change == 6:
            _replace_number(data, rng)
        elif rng.random() < 0.5:
            del data[start:]
    return bytes(data)


def _replace_number(data: bytearray, rng: np.random.Generator) -> None:
    """Put an extreme value where digits stand."""
    places = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
    if places:
        start = places[int(rng.integers(len(places)))]
        stop = start
        while stop < len(data) and 48 <= data[stop] <= 57:
            stop += 1
        data[start:stop] = EXTREMES[int(rng.integers(len(EXTREMES)))]


def npz_file(folder: Path) -> Path:
    """The matches of a pair."""
    rng, path = np.random.default_rng(0), folder / "x.npz"
    arrays = {
        "keypoints0": rng.random((20, 2)).astype(np.float32),
        "keypoints1": rng.random((30, 2)).astype(np.float32),
    }
    np.savez(path, **arrays, matches=rng.integers(-1, 30, 20), match_confidence=rng.random(20).astype(np.float32))
    return path


def read_npz(path: Path) -> None:
    """As a user reads it, and as an earlier run's."""
    from cyano.evaluation.pair_lists.files import read_matches
    from cyano.formats import read_archive

    read_matches(path, "")
    read_archive(path)


def toml_file(folder: Path) -> Path:
    """A recipe."""
    from importlib import resources

    path = folder / "x.toml"
    path.write_bytes(resources.files("cyano.training").joinpath("recipes", "sift.toml").read_bytes())
    return path


def read_toml(path: Path) -> None:
    """And build its matcher on no memory."""
    import torch

    from cyano.models.superglue import SuperGlue
    from cyano.training.run.config import read_config

    config = read_config(path)
    with torch.device("meta"):
        SuperGlue(config.superglue)


def json_file(folder: Path) -> Path:
    """The config.json of the weights in the wheel."""
    from cyano import weights

    shutil.copytree(weights.default_folder(), folder / "model")
    return folder / "model" / "config.json"


def read_json(path: Path) -> None:
    """With the weights beside it, as any model folder, and as other files of JSON."""
    from cyano.checkpoints import load
    from cyano.evaluation.pair_lists.run_folder import open_run
    from cyano.store.quarantine import Quarantine

    reports = path.parent / "reports"
    reports.mkdir(exist_ok=True)
    shutil.copyfile(path, reports / "0123-4.json")
    Quarantine(reports).entries()
    run = path.parent / "run"
    run.mkdir(exist_ok=True)
    shutil.copyfile(path, run / "run.json")
    open_run(run, {}, {}, overwrite=True)
    load(path.parent)


def colmap_files(folder: Path) -> Path:
    """A database and a model in binary form, of one synthetic scene; and the model as text."""
    import pycolmap

    pycolmap.logging.minloglevel = 3
    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D, options.num_frames_per_rig = 30, 4
    with pycolmap.Database.open(str(folder / "database.db")) as database:
        model = pycolmap.synthesize_dataset(options, database)
    with closing(sqlite3.connect(folder / "database.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    for kind, write in (("binary", model.write_binary), ("text", model.write_text)):
        (folder / kind).mkdir()
        write(str(folder / kind))
    return folder


def read_colmap(path: Path) -> None:
    """The database, or the model in the file's folder."""
    from cyano.formats import read_database, read_model

    if path.suffix == ".db":
        read_database(path)
    else:
        read_model(path.parent)


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], None]]] = {
    "npz": (npz_file, read_npz),
    "toml": (toml_file, read_toml),
    "json": (json_file, read_json),
    "colmap": (colmap_files, read_colmap),
}


def reader(kind: str, orders: Connection) -> None:
    """The process that reads: a path comes in, what became of it goes out."""
    import logging
    import os
    import sys

    logging.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # of libraries, which say what they refuse
    read = KINDS[kind][1]
    importlib.import_module("cyano.training.run.config")
    importlib.import_module("pycolmap")
    orders.send("ready")
    while True:
        path = orders.recv()
        try:
            read(Path(path))
            orders.send("read")
        except CyanoError as error:
            orders.send("refused" if len(str(error)) < 2000 else f"a message of {len(str(error))} characters")
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            orders.send(f"traceback: {type(error).__name__}: {error}"[:200])


class Reader:
    """A process at work, and another one where it has died or hangs."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._start()

    def _start(self) -> None:
        self._orders, theirs = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=reader, args=(self._kind, theirs))
        self._process.start()
        theirs.close()
        if not self._orders.poll(START_S):
            raise SystemExit(f"a process did not start within {START_S:g} s")
        self._orders.recv()

    def __call__(self, path: Path) -> tuple[str, float]:
        """What became of a file, and the seconds it took."""
        started = time.perf_counter()
        self._orders.send(str(path))
        answered = self._orders.poll(LIMIT_S)
        try:
            outcome = self._orders.recv() if answered else f"hang over {LIMIT_S:g} s"
        except EOFError:
            self._process.join()
            outcome = f"process ended with {self._process.exitcode}"
        if outcome.startswith(("hang", "process")):
            self.stop()
            self._start()
        return outcome, time.perf_counter() - started

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def run(kind: str, count: int, seed: int) -> dict[str, Any]:
    """Damage the files of a kind so many times."""
    rng, read = np.random.default_rng(seed), Reader(kind)
    outcomes: Counter[str] = Counter()
    examples: dict[str, str] = {}
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        made = KINDS[kind][0](Path(folder))
        files = [made] if made.is_file() else sorted(path for path in made.rglob("*") if path.is_file())
        sound = {path: path.read_bytes() for path in files}
        for path in files:
            outcome, _ = read(path)
            if outcome != "read":
                raise SystemExit(f"{path.name}, which is sound: {outcome}")
        for number in range(count):
            path = files[number % len(files)]
            path.write_bytes(mutated(sound[path], rng))
            outcome, seconds = read(path)
            path.write_bytes(sound[path])
            outcomes[outcome.split(":")[0]] += 1
            if outcome not in ("read", "refused"):
                examples.setdefault(f"{path.name}: {outcome}", f"file {number} of seed {seed}")
            longest = max(longest, seconds)
    read.stop()
    return {"files": count, "outcomes": dict(outcomes), "longest_s": round(longest, 2), "faults": examples}


def main() -> None:
    """Parse the arguments, damage, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    results = {}
    for kind in [arguments.only] if arguments.only else KINDS:
        results[kind] = run(kind, arguments.count, arguments.seed)
        print(kind, json.dumps(results[kind]), flush=True)
    if arguments.save:
        measuring.save(arguments.save, arguments.seed, {"limit_s": LIMIT_S, **results})
    if any(result["faults"] for result in results.values()):
        raise SystemExit("some files were neither read nor refused")


if __name__ == "__main__":
    main()
