"""What all benchmarks share: the machine, interleaved timing, peak memory, and where results go."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "transformers", "pillow", "opencv-python-headless")


def cpu_flags() -> set[str]:
    """The instruction sets that the processor tells of; empty where /proc/cpuinfo is not there."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())


def has_fast_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 rather than emulating it."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"}) or platform.machine() == "arm64"


def machine() -> dict[str, Any]:
    """The processor, its vector instructions, cores and memory."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    family = {key.strip(): value.strip() for key, value in fields.items() if key.strip() in ("cpu family", "model")}
    return {
        "processor": fields.get("model name\t", platform.processor()).strip(),
        **family,
        "instructions": sorted(cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16"}),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
    }


def interleaved(contenders: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each run; contenders take turns, so that a change of the machine's load meets all of them."""
    for run in contenders.values():
        run()  # not counted: first use allocates and packs
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


Serving = Callable[..., None]
"""A contender in a process of its own. Its first argument is a connection: it sends what it has to say of itself, then
answers each request with its measurements, until the request is False."""


def in_turns(contenders: Mapping[str, tuple[Any, ...]], serve: Serving, repeats: int) -> dict[str, tuple[Any, Any]]:
    """What contenders in processes of their own say of themselves, and their measurements; they take turns.

    Args:
        contenders: what `serve` takes after the connection, by name.
        serve: a contender.
        repeats: requests to each.

    Returns:
        By name what was said first, and a list with the answers to the requests.
    """
    context, running = multiprocessing.get_context("spawn"), {}
    for name, given in contenders.items():
        here, there = context.Pipe()
        context.Process(target=serve, args=(there, *given), daemon=True).start()
        running[name] = here, here.recv()
    answers: dict[str, list[Any]] = {name: [] for name in running}
    for _ in range(repeats):
        for name, (connection, _) in running.items():
            connection.send(True)
            answers[name].append(connection.recv())
    for connection, _ in running.values():
        connection.send(False)
    return {name: (said, answers[name]) for name, (_, said) in running.items()}


def timed(works: Iterable[Callable[[], object]]) -> list[float]:
    """Wall and processor seconds of each, one after the other."""
    times: list[float] = []
    for work in works:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times += [time.perf_counter() - wall, time.process_time() - cpu]
    return times


def summary(seconds: list[float]) -> dict[str, float]:
    """Median, fastest and slowest of some runs, in seconds."""
    return {
        "median_s": round(statistics.median(seconds), 4),
        "min_s": round(min(seconds), 4),
        "max_s": round(max(seconds), 4),
    }


def peak_memory_mib() -> float:
    """Most memory that this process ever held, in MiB.

    On Linux from VmHWM: ru_maxrss also counts what the parent held when it started this process.
    """
    path = Path("/proc/self/status")
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform == "linux" else 1024 * 1024)


def installed(package: str) -> str | None:
    """Its version; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def save(name: str, seed: int, results: Mapping[str, Any]) -> Path:
    """Write results with all that is needed to repeat them."""
    record = {
        "command": " ".join(["scripts/bench", Path(sys.argv[0]).stem, *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": seed,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: installed(name) for name in PACKAGES}},
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
