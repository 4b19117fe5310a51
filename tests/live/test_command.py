"""`cyano live` before it serves: what it refuses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from support.commands import run

for package in ("fastapi", "uvicorn", "websockets"):
    pytest.importorskip(package, reason="the extra page serves")


def test_what_writes_is_another_command(folder: Path) -> None:
    result = run("live", folder, "--output_dir", "out")
    assert result.exit_code == 2
    assert "cyano video" in result.stderr


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    result = run("live", tmp_path / "nowhere.mp4", "--no-display")
    assert result.exit_code == 1
    assert "no such movie or folder" in result.stderr


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        result = run("live", folder, "--no-display", "--port", str(other.getsockname()[1]))
    assert result.exit_code == 1
    assert "give another --port" in " ".join(result.stderr.split())


def test_an_anchor_that_is_not_there(folder: Path) -> None:
    result = run("live", folder, "--no-display", "--anchor", "nowhere.png")
    assert result.exit_code == 1
    assert "no such file" in result.stderr
