"""The settings of a training process: made where nobody else has made them, before torch is there."""

import os
import subprocess
import sys

PROGRAM = """
import os, sys
from cyano.training.run.tuning import tune_process
assert "torch" not in sys.modules
tune_process()
print(os.environ["OMP_WAIT_POLICY"])
"""


def wait_policy(**environment: str) -> str:
    given = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | environment
    return subprocess.run([sys.executable, "-c", PROGRAM], env=given, capture_output=True, text=True, check=True).stdout


def test_threads_sleep_unless_the_user_says_otherwise() -> None:
    assert wait_policy() == "passive\n"
    assert wait_policy(OMP_WAIT_POLICY="active", MALLOC_ARENA_MAX="1") == "active\n"
