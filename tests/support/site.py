"""The site as `scripts/docs` builds it, once for all processes of a run of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[2]


def built_site(shared: Path) -> Path:
    """The folder of the built pages, below a folder that the processes of the run share.

    Raises:
        AssertionError: the build has a warning or an error; the message is its output.
    """
    folder, report = shared / "site", shared / "site.log"
    with FileLock(shared / "site.lock"):
        if not report.exists():
            options = ("--builder", "html", "--nitpicky", "--fail-on-warning", "--keep-going", "--quiet")
            command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(folder)]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            report.write_text(run.stdout + run.stderr + ("" if run.returncode == 0 else f"exit {run.returncode}\n"))
    assert not report.read_text(), report.read_text()
    return folder
