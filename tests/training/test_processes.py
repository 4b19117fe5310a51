"""Two processes that torchrun starts train as one with the data of both."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from cyano.training.loop import train_stage
from cyano.training.state import STATE_FILE
from support import line_fit
from support.line_fit import LineFit


def test_gradients_are_averaged_over_processes(tmp_path: Path) -> None:
    alone = LineFit(ranks=2)
    train_stage(alone, tmp_path / "alone", torch.device("cpu"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = str(Path(line_fit.__file__))
    done = subprocess.run(
        [*command, program, str(tmp_path / "both")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    both = torch.load(tmp_path / "both" / STATE_FILE, weights_only=True)["model"]
    # The mean of two means is the mean over both batches but for float32 rounding over five steps.
    for name, value in alone.module.state_dict().items():
        assert torch.allclose(both[name], value, atol=1e-6), name
