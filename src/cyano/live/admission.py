"""Whom a server on this machine answers: its own pages, and programs of this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

__all__ = ["LOOPBACK", "is_admitted"]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_admitted(headers: Mapping[str, str], hosts: Collection[str] = LOOPBACK) -> bool:
    """Whether a request is meant for this server and comes from no other site's page.

    A page anywhere can have a browser ask this machine, by its address or by a name that was made to mean it; the
    browser then tells by Origin and Host which page asks, and whom it thinks to ask.

    Args:
        headers: of the request, by their names in small letters.
        hosts: names and addresses of this server, without ports.
    """
    host = _split(f"//{headers.get('host', '')}")
    if host is None or host[0] not in hosts:
        return False
    origin = headers.get("origin")
    return origin is None or _split(origin) == host


def _split(address: str) -> tuple[str, int | None] | None:
    """Name and port of an address; None where it has none."""
    try:
        parts = urlsplit(address)
        return None if parts.hostname is None else (parts.hostname, parts.port)
    except ValueError:
        return None
