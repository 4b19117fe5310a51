"""Whom the live view answers."""

from __future__ import annotations

import pytest

from cyano.live.admission import is_admitted


@pytest.mark.parametrize(
    ("host", "origin", "admitted"),
    [
        ("127.0.0.1:8080", None, True),
        ("localhost:8080", None, True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("localhost", "http://localhost", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("evil.example", None, False),
        ("evil.example:8080", "http://evil.example:8080", False),  # a name that was made to mean this machine
        ("127.0.0.1:8080", "http://evil.example", False),
        ("127.0.0.1:8080", "http://127.0.0.1:9090", False),  # another program of this machine
        ("127.0.0.1:8080", "null", False),
        ("127.0.0.1:port", None, False),
        ("localhost.evil.example", None, False),
        ("user@localhost:8080", "http://evil.example", False),
        ("", None, False),
        ("[::1", None, False),
    ],
)
def test_hosts_and_origins(host: str, origin: str | None, admitted: bool) -> None:
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    assert is_admitted(headers) is admitted


def test_other_names_are_given() -> None:
    assert is_admitted({"host": "studio.local:80"}, {"studio.local"})
    assert not is_admitted({"host": "localhost"}, {"studio.local"})
    assert not is_admitted({})
