"""`cyano serve` before it serves: what is refused, and how."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

for package in ("fastapi", "uvicorn", "python_multipart"):
    pytest.importorskip(package, reason="the extra page brings the server")

from support.commands import run  # noqa: E402 - after the reason to skip


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--max-upload", "lots"), "--max-upload"),
        (("--memory", "0"), "--memory"),
        (("--max-pixels", "-3MP"), "--max-pixels"),
        (("--queue", "0"), "--queue"),
        (("--port", "70000"), "--port"),
        (("--images", "."), "--images"),
        (("--max-upload", "300MB"), "memory"),
    ],
)
def test_a_usage_error(arguments: tuple[str, ...], told: str) -> None:
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_what_is_not_there(tmp_path: Path) -> None:
    for flag in ("--collection", "--token-file"):
        result = run("serve", flag, tmp_path / "none")
        assert result.exit_code == 1
        assert "none" in result.output


def test_a_token_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short\n")
    result = run("serve", "--token-file", tmp_path / "token")
    assert result.exit_code == 1
    assert "has no token" in result.output


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = run("serve", "--port", str(other.getsockname()[1]))
    assert result.exit_code == 1
    assert "another program listens there" in result.output


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 70])  # the last two are no names at all
def test_an_address_of_somebody_else(host: str) -> None:
    result = run("serve", "--host", host, "--port", "0")
    assert result.exit_code == 1
    assert "there is no address" in result.output


def test_a_live_source_that_is_not_there(tmp_path: Path) -> None:
    result = run("serve", "--live", tmp_path / "nowhere.mp4", "--port", "0")
    assert result.exit_code == 1
    assert "no such movie or folder" in result.output


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cyano.cli.serve.find_spec", lambda _: None)
    result = run("serve")
    assert result.exit_code == 1
    assert 'pip install ".[page]"' in result.output
