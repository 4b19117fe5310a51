"""`cyano env`: what a report of a fault needs, from the sources themselves."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version

import pytest
import torch

import cyano
from cyano import weights
from support.commands import output, run


def test_versions_machine_and_weights() -> None:
    document = output(run("env", "--json"))
    assert document["cyano"] == cyano.__version__
    assert document["python"].startswith(platform.python_version())
    assert document["packages"]["numpy"] == version("numpy")
    assert document["torch"]["threads"].startswith(f"{torch.get_num_threads()} ")
    assert "cores" in document["processor"]
    digest = hashlib.sha256((weights.default_folder() / "model.safetensors").read_bytes()).hexdigest()
    assert digest in document["weights"][weights.DEFAULT]


def test_a_package_that_is_absent_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cyano.cli.environment._PACKAGES", ("numpy", "no-such-package"))
    assert output(run("env", "--json"))["packages"] == {"numpy": version("numpy"), "no-such-package": None}
    shown = " ".join(run("env").stdout.split())
    assert "no-such-package not installed" in shown
