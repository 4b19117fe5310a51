"""A run over a collection under what happens to runs: broken images, full and read-only disks, two at once, Ctrl-C.

usage: scripts/bench hardships [--images N] [--only NAME] [--save NAME]

Tiny networks with random weights, photographs that are made up, all pairs: N good and N broken images, and for what
takes many runs at most 50. Every scenario ends with a comparison of its stores with those of a run that nothing
disturbed. The disks are small file systems in memory, which only the superuser of a Linux machine may mount; without
that these two scenarios are left out, and said to be.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.collection import Collection, write_database, write_hloc
from cyano.collection.derived import check_derived
from cyano.engine import find_images, run_stage
from cyano.errors import CyanoError, OutputError
from support import collection

SEED = 0
INTERRUPTS = 10
DISKS = 24
MANY_RUNS = 50  # images where everything is run again and again


def malformed(images: Path, expected: Path, folder: Path) -> dict[str, Any]:
    """As many broken images as good ones."""
    good = find_images(images)
    broken = collection.break_images(images, len(good))
    try:
        summary = run_stage(collection.extraction(images, folder), find_images(images))
        pairs = run_stage(collection.matching(folder), collection.all_pairs(good))
        run_stage(collection.aligning(images, folder), good)
    finally:
        for name in broken:
            (images / name).unlink()
    listed = {failure.item[0] for failure in summary.failures}
    if listed != set(broken) or summary.exit_status != 3 or pairs.exit_status:
        raise SystemExit(f"{len(listed)} of {len(broken)} broken images were listed")
    reasons = sorted({failure.reason.replace(failure.item[0], "NAME")[-40:] for failure in summary.failures})
    collection.assert_same_content(images, folder, expected)
    collection.assert_same_keypoints(images, folder, expected)
    return {"good": len(good), "broken": len(broken), "listed": len(listed), "different reasons": len(reasons)}


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        # Lazily, for the catalogues of stores are open as long as these live.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change it while it is in use."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def refused(run: Callable[[], object]) -> str:
    """The message of a run that cannot go on."""
    try:
        run()
    except OutputError as error:
        return str(error)
    raise SystemExit("the run went on")


def full_disk(images: Path, expected: Path, folder: Path) -> dict[str, Any]:
    """A disk that is full after half of the results, and then has room again."""
    needed = sum(path.stat().st_size for path in expected.rglob("*") if path.is_file())
    with mounted(folder, f"size={needed // 2}"):
        message = refused(lambda: collection.run_all(images, folder))
        stored = collection.extraction(images, folder).open().count()
        remount(folder, f"size={4 * needed}")
        collection.run_all(images, folder)
        collection.assert_same_content(images, folder, expected)
        collection.assert_same_keypoints(images, folder, expected)
    return {"message": message.replace(str(folder), "OUT"), "images stored before": stored}


def full_disk_outputs(images: Path, expected: Path, folder: Path) -> dict[str, Any]:
    """The database and hloc's files on disks of many sizes, from next to nothing until all of it has room."""
    stores = folder.with_name("outputs")
    whole = Collection(images, stores, collection.recipe(), collection.VERIFICATION)
    shutil.copytree(expected, whole.store)
    wanted = _outputs(whole)
    needed = sum(path.stat().st_size for path in whole.out.rglob("*") if path.is_file())
    stored = sum(path.stat().st_size for path in whole.store.rglob("*") if path.is_file())
    messages: dict[str, int] = {}
    sizes = np.linspace(stored + (64 << 10), needed + (4 << 20), DISKS).astype(int).tolist()
    for number, size in enumerate(sizes):
        disk = folder.with_name(f"disk{number}")
        with mounted(disk, f"size={size}"):
            part = Collection(images, disk / "out", collection.recipe(), collection.VERIFICATION)
            shutil.copytree(expected, part.store)
            try:
                _outputs(part)
            except OutputError as error:
                told = re.sub(r"[\d,]{4,}", "N", str(error).replace(str(disk), "DISK"))
                messages[told] = messages.get(told, 0) + 1
                left = [path.name for path in part.out.iterdir() if path.name.startswith(".")]
                if left:
                    raise SystemExit(f"{left} was left") from error
            remount(disk, f"size={4 * needed + (64 << 20)}")
            if _outputs(part) != wanted or check_derived(part.out):
                raise SystemExit(f"another result on a disk of {size:,} bytes that has room again")
    return {"disks": DISKS, "full": sum(messages.values()), "messages": messages}


def _outputs(part: Collection) -> tuple[object, ...]:
    """Make the database and hloc's files; what they hold."""
    return write_database(part, align=False), write_hloc(part, align=False)


def read_only(images: Path, expected: Path, folder: Path) -> dict[str, Any]:
    """A disk that cannot be written, from the beginning and from the middle on."""
    with mounted(folder, "size=64m"):
        remount(folder, "ro")
        first = refused(lambda: collection.run_all(images, folder))
        remount(folder, "rw")
        run_stage(collection.extraction(images, folder), find_images(images))
        remount(folder, "ro")
        second = refused(lambda: collection.run_all(images, folder))
        remount(folder, "rw")
        collection.run_all(images, folder)
        collection.assert_same_content(images, folder, expected)
        collection.assert_same_keypoints(images, folder, expected)
    return {"messages": [message.replace(str(folder), "OUT") for message in (first, second)]}


def at_once(images: Path, expected: Path, folder: Path) -> dict[str, Any]:
    """Two runs with the same output."""
    with collection.program(images, folder) as first, collection.program(images, folder) as second:
        for run in (first, second):
            run.communicate()
        statuses = [first.returncode, second.returncode]
    if any(statuses):
        raise SystemExit(f"the runs ended with {statuses}")
    collection.assert_same_content(images, folder, expected)
    collection.assert_same_keypoints(images, folder, expected)
    return {"statuses": statuses}


def interrupts(images: Path, expected: Path, folder: Path) -> dict[str, Any]:
    """Ctrl-C at random moments, again and again; how long it takes to end."""
    rng = np.random.default_rng(SEED)
    seconds = []
    for _ in range(INTERRUPTS):
        with collection.program(images, folder) as run:
            time.sleep(float(rng.uniform(0.1, 2)))
            start = time.perf_counter()
            run.send_signal(signal.SIGINT)
            run.communicate()
            seconds.append(round(time.perf_counter() - start, 2))
            if run.returncode not in (0, 130, -signal.SIGINT):
                raise SystemExit(f"the run ended with {run.returncode}")
    collection.run_all(images, folder)
    collection.assert_same_content(images, folder, expected)
    collection.assert_same_keypoints(images, folder, expected)
    return {"interrupts": INTERRUPTS, "longest_s": max(seconds), "median_s": float(np.median(seconds))}


SCENARIOS = {run.__name__: run for run in (malformed, full_disk, full_disk_outputs, read_only, at_once, interrupts)}


def main() -> None:
    """Parse the arguments, run the scenarios, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--only", choices=SCENARIOS)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        sets: dict[int, tuple[Path, Path]] = {}
        for name in [arguments.only] if arguments.only else SCENARIOS:
            count = arguments.images if name == "malformed" else min(arguments.images, MANY_RUNS)
            if count not in sets:
                images = collection.write_images(Path(folder, f"images-{count}"), count)
                sets[count] = images, Path(folder, f"expected-{count}")
                collection.run_all(*sets[count])
            try:
                outcome = SCENARIOS[name](*sets[count], Path(folder, name))
            except subprocess.CalledProcessError as error:
                outcome = {"left out": f"{' '.join(error.cmd[:2])} is not allowed here"}
            except CyanoError as error:
                raise SystemExit(f"{name}: {error}") from error
            results[name] = {"images": count, **outcome}
            print(name, json.dumps(results[name]), flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
