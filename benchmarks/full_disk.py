"""Every command that writes, on disks from nothing to enough: one error in one line, nothing by halves, a right rerun.

usage: scripts/bench full_disk [--disks N] [--only NAME] [--save NAME]

Each command runs on small file systems in memory of N sizes between what is there before and what it needs, and on N
that have bytes enough but too few files. It has to end with exit code 1 and one line, leave no file that differs from
the one of a run with room, no private place, and do all of it once there is room. Only the superuser of a Linux machine
may mount these disks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from support.commands import run, shifted_photographs
from support.photographs import write_photographs
from support.recipes import DETECTOR_AND_MATCHER
from support.walk import render_walk, write_view, write_walk

SEED = 0
PAGE = 4096
LONGEST_S = 120  # of a run; the longest with room takes a tenth
PRIVATE = re.compile(r"\..+\.[0-9a-f]{8,16}(/|$)")
SMALL = ("--resize", "160", "--max-keypoints", "128", "--device", "cpu")


@dataclass(frozen=True)
class Case:
    """A command on a disk.

    Attributes:
        arguments: of `cyano`; IN is the folder of what is read, OUT that on the disk.
        before: commands that run first, with room, and whose results are there.
    """

    arguments: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()


def _cases() -> dict[str, Case]:
    pair = ("match", "IN/pair/a.png", "IN/pair/b.png", *SMALL)
    walk = ("IN/walk", "--out", "OUT/walk", "--resize", "320", "--device", "cpu")
    extract, match, verify = ("extract", *walk), ("match-all", *walk), ("verify-pairs", *walk)
    align, database, whole = ("align", *walk), ("colmap", *walk), ("reconstruct", *walk)
    small = ("--images", "IN/walk", "--resize", "320", "--device", "cpu")
    foreign = ("map", "OUT/walk/sparse/0", "--out", "OUT/map", *small)
    add = ("add", "IN/more", "--to", "OUT/walk", "--out", "OUT/grown", *small)
    # Of five positions one may seem not to agree with the others' noise, which is that of the model.
    placed = ("georeference", "OUT/walk", "--positions", "IN/positions.txt", "--out", "OUT/metres", "--max-error", "1")
    train = ("IN/photographs", "--out", "OUT/run", "--recipe", "IN/recipe.toml", "--device", "cpu")
    detector = ("train", "detector", *train)
    figures = ("--homography", "--picture", "OUT/m.pdf", "--npz", "OUT/m.npz", "--save-json", "OUT/m.json")
    pairs = ("pairs", "--input-pairs", "IN/pair/pairs.txt", "--out", "OUT/pairs", *SMALL, "--eval", "--viz")
    return {
        "match": Case((*pair, "--out", "OUT/pair")),
        "match, all outputs": Case((*pair, *figures, "--registered", "OUT/r.png")),
        "demo": Case(("demo", "--out", "OUT/demo", "--resize", "160", "--device", "cpu")),
        "pairs": Case(pairs),
        "pairs, fast": Case((*pairs, "--fast-viz", "--cache")),
        "extract": Case(extract),
        "match-all": Case(match, (extract,)),
        "verify-pairs": Case(verify, (extract, (*match, "--no-verify"))),
        "align": Case(align, (extract, match)),
        "colmap": Case(database, (extract, match, align)),
        "colmap, hloc": Case((*database, "--hloc"), (extract, match, align)),
        "colmap, model": Case((*database, "--model"), (extract, match, align)),
        "reconstruct": Case(whole),
        "view": Case(("view", "OUT/walk/sparse/0", "--out", "OUT/shown"), (whole,)),
        "map": Case(foreign, (whole,)),
        "add": Case(add, (whole,)),
        "georeference": Case((*placed, "--images", "IN/walk"), (whole,)),
        "store verify": Case(("store", "verify", "OUT/walk/store"), (whole,)),
        "store compact": Case(("store", "compact", "OUT/walk/store"), (whole,)),
        "evaluate": Case(("evaluate", "IN/sets", "--sets", "plane", "--out", "OUT/evaluation", *SMALL)),
        "weights convert": Case(("weights", "convert", "cyano-small", "OUT/weights", "--half")),
        "train detector": Case(detector),
        "train matcher": Case(("train", "matcher", *train), (detector,)),
    }


def prepare(folder: Path) -> None:
    """What the commands read."""
    (folder / "pair").mkdir(parents=True)
    shifted_photographs(folder / "pair")
    (folder / "sets" / "plane").mkdir(parents=True)
    shifted_photographs(folder / "sets" / "plane")
    (folder / "sets" / "plane" / "pairs_h.txt").write_text("a.png b.png 1 0 -12 0 1 -6 0 0 1\n")
    K, T = "200 0 120 0 200 90 0 0 1", "1 0 0 1 0 1 0 0 0 0 1 0 0 0 0 1"
    (folder / "pair" / "pairs.txt").write_text(f"a.png b.png 0 0 {K} {K} {T}\n")
    poses = write_walk(folder / "walk", 5)
    centres = {name: (-pose[:3, :3].T @ pose[:3, 3]).tolist() for name, pose in poses.items()}
    lines = [" ".join([name, *map(str, centre)]) for name, centre in centres.items()]
    (folder / "positions.txt").write_text("\n".join(lines))
    (folder / "more").mkdir()
    (view,) = render_walk(at=[1.5])
    write_view(view, folder / "more" / "new.png")
    write_photographs(folder / "photographs", 5)
    (folder / "recipe.toml").write_text(DETECTOR_AND_MATCHER)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def files_of(disk: Path) -> dict[str, str]:
    """Digests of the files on a disk by their paths."""
    files = (path for path in disk.rglob("*") if path.is_file())
    return {str(path.relative_to(disk)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def command(arguments: tuple[str, ...], inputs: Path, disk: Path) -> tuple[int, str, BaseException | None]:
    """Run a command with a limit of time; its exit code, its stderr, and what it raised but for exits."""
    own = [re.sub("^IN/", f"{inputs}/", re.sub("^OUT/", f"{disk}/", each)) for each in arguments]
    signal.alarm(LONGEST_S)
    result = run(*own, cwd=inputs)
    signal.alarm(0)
    raised = None if isinstance(result.exception, SystemExit) else result.exception
    return result.exit_code, result.stderr, raised


class Study:
    """A command with room, and what it leaves on the disk."""

    def __init__(self, case: Case, inputs: Path, scratch: Path) -> None:
        self.case, self.inputs, self.scratch = case, inputs, scratch
        self.prior = scratch / "prior"
        with mounted(scratch / "first", "size=1g") as disk:
            for each in case.before:
                self._succeed(each, disk)
            shutil.copytree(disk, self.prior, copy_function=shutil.copy2)
            self._succeed(case.arguments, disk)
            first, self.needed, self.count = files_of(disk), _taken(disk), _inodes(disk)
        with self.disk("second", "size=1g") as disk:
            self.begun, self.begun_count = _taken(disk), _inodes(disk)
            self._succeed(case.arguments, disk)
            second = files_of(disk)
        self.expected = {name: digest for name, digest in first.items() if second.get(name) == digest}
        self.varying = sorted((first.keys() | second.keys()) - self.expected.keys())

    @contextmanager
    def disk(self, name: str, options: str) -> Iterator[Path]:
        """A disk on which what is there before is."""
        with mounted(self.scratch / name, options) as disk:
            shutil.copytree(self.prior, disk, dirs_exist_ok=True, copy_function=shutil.copy2)
            yield disk

    def _succeed(self, arguments: tuple[str, ...], disk: Path) -> None:
        code, told, raised = command(arguments, self.inputs, disk)
        if code or raised:
            raise SystemExit(f"{' '.join(arguments)}: exit code {code} with room: {told} {raised!r}")

    def limits(self, disks: int) -> Iterator[tuple[str, str]]:
        """Options of disks that are too small in bytes, and of those that are too small in files."""
        sizes = np.linspace(self.begun + PAGE, self.needed + 64 * PAGE, disks)
        for size in sorted({int(size) // PAGE * PAGE for size in sizes} | {self.begun + i * PAGE for i in (1, 2, 3)}):
            yield f"size={size}", "size=1g"
        for count in sorted(set(np.linspace(self.begun_count, self.count + 4, disks).astype(int).tolist())):
            yield f"size=1g,nr_inodes={count}", "size=1g,nr_inodes=100000"

    def faults(self, options: str, room: str, name: str) -> tuple[str | None, list[str]]:
        """What the command says on a disk, None where it had room; and what is wrong with that."""
        with self.disk(name, options) as disk:
            code, told, raised = command(self.case.arguments, self.inputs, disk)
            faults = self._after(disk, code, told, raised)
            subprocess.run(["mount", "-o", f"remount,{room}", str(disk)], check=True)
            again, told_again, raised = command(self.case.arguments, self.inputs, disk)
            if again or raised:
                faults.append(f"again: exit code {again}: {told_again} {raised!r}")
            found = files_of(disk)
            wrong = [name for name, digest in self.expected.items() if found.get(name) != digest]
            if wrong:
                faults.append(f"again: {wrong} differ")
            said = re.sub(r"[0-9,]{4,}", "N", told.replace(str(disk), "DISK").strip())
            return (said if code else None), faults

    def _after(self, disk: Path, code: int, told: str, raised: BaseException | None) -> list[str]:
        faults = []
        found = files_of(disk)
        if raised is not None:
            faults.append(f"raised {raised!r}")
        if code not in (0, 1):
            faults.append(f"exit code {code}: {told}")
        errors = [line for line in told.splitlines() if line.startswith("error: ")]
        if code == 1 and len(errors) != 1:
            faults.append(f"no one line: {told!r}")
        halves = [name for name, digest in found.items() if self.expected.get(name, digest) != digest]
        before = files_of(self.prior)
        halves = [name for name in halves if before.get(name) != found[name]]
        if halves:
            faults.append(f"{halves} are there by halves")
        left = [name for name in found if PRIVATE.search(name)]
        left += [str(path) for path in disk.rglob(".*") if PRIVATE.search(path.name)]
        if left:
            faults.append(f"{left} was left")
        if code == 0 and not raised and (lacking := sorted(self.expected.keys() - found.keys())):
            faults.append(f"exit code 0 without {lacking}")
        return faults


def _taken(disk: Path) -> int:
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def _inodes(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_files - status.f_ffree


def study(case: Case, inputs: Path, disks: int, report: Callable[[str], None]) -> dict[str, Any]:
    """A command on all of its disks."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Study(case, inputs, Path(folder))
        messages: dict[str, int] = {}
        tried = faulty = 0
        for number, (options, room) in enumerate(whole.limits(disks)):
            said, faults = whole.faults(options, room, f"disk{number}")
            tried += 1
            faulty += bool(faults)
            for fault in faults:
                report(f"{options}: {fault}")
            if said is not None:
                messages[said] = messages.get(said, 0) + 1
    full = sum(messages.values())
    return {"disks": tried, "full": full, "faulty": faulty, "messages": messages, "varying": whole.varying}


def main() -> None:
    """Parse the arguments, run the cases, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=12)
    parser.add_argument("--only", choices=_cases(), action="append")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder)
        prepare(inputs)
        for name, case in _cases().items():
            if arguments.only and name not in arguments.only:
                continue
            report = lambda line, name=name: print(f"FAULT {name}: {line.replace(folder, 'TMP')}", flush=True)  # noqa: E731
            results[name] = study(case, inputs, arguments.disks, report)
            print(name, json.dumps(results[name]), flush=True)
    if arguments.save:
        path = measuring.RESULTS / f"{arguments.save}.json"  # what was measured before, of others, stays
        before = json.loads(path.read_text())["results"] if path.exists() and arguments.only else {}
        print("wrote", measuring.save(arguments.save, SEED, before | results))
    if any(result["faulty"] for result in results.values()):
        raise SystemExit("some commands have faults")


if __name__ == "__main__":
    main()
