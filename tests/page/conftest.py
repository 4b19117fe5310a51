from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from support.serving import Served

collect_ignore_glob: list[str] = []
try:
    import fastapi  # noqa: F401
    import httpx
    import python_multipart  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError:  # the extra page brings the server, and dev a client
    collect_ignore_glob.append("test_*.py")


@pytest.fixture(scope="session")
def fake() -> Iterator[Served]:
    """A server with small limits, and a worker without networks."""
    from cyano.page.settings import Limits, Settings
    from support.serving import serving

    limits = Limits(upload_bytes=100_000, memory_bytes=300_000, queue=2, deadline_seconds=3, slow_seconds=1)
    with serving(Settings(limits=limits)) as served:
        yield served


@dataclass(frozen=True, eq=False)
class Program:
    """`cyano serve` as people run it.

    Attributes:
        process: of it.
        address: that it printed.
        client: for its API.
        folder: with `images` and their reconstruction `model`, which the server shows.
    """

    process: subprocess.Popen[str]
    address: str
    client: httpx.Client
    folder: Path


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One server with its networks and a collection, for all tests."""
    import httpx

    from support.commands import output, run
    from support.walk import write_walk

    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    pytest.importorskip("skimage", reason="scikit-image brings the photographs")
    folder = tmp_path_factory.mktemp("served")
    write_walk(folder / "images", 4)
    camera = ("--camera-model", "PINHOLE", "--camera-params", "400,400,240,180", "--keep-cameras", "--cameras", "all")
    options = ("--max-keypoints", "300", "--device", "cpu", "--json")
    output(run("reconstruct", folder / "images", "--out", folder / "model", *camera, *options))
    command = [sys.executable, "-m", "cyano", "serve", "--port", "0", "--device", "cpu"]
    command += ["--collection", str(folder / "model"), "--images", str(folder / "images")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.communicate()
        with httpx.Client(base_url=f"{address}api/v1", timeout=300) as client:
            yield Program(process, address, client, folder)
        children = _children(process.pid)
        process.send_signal(signal.SIGINT)  # Ctrl-C, which a terminal sends to the worker as well, ends both
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert not [child for child in children if Path(f"/proc/{child}").exists()]


def _children(parent: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(stat.parent.name)
    return found
