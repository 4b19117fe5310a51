"""What a server is told at its start, and the bounds that hold for everybody who talks to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyano.errors import InputError

__all__ = ["LOOPBACK", "CollectionFolders", "Limits", "LiveSource", "Settings", "is_address"]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that no resolver of somebody else's decides about."""

_MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Bounds on what one request, and all of them together, may cost.

    Attributes:
        upload_bytes: of an image.
        pixels: of an image, checked in its header.
        memory_bytes: of images and answers that are kept, and of those that are being uploaded.
        keep_seconds: how long they are kept after they were last asked for.
        queue: jobs that wait for their turn.
        deadline_seconds: that a job waits at most, and that it runs at most.
        json_bytes: of a JSON body.
        json_depth: of its nesting.
        requests: at once.
        connections: at once, idle ones among them.
        slow_seconds: for the head of a request, and before a body has to keep `slow_bytes` a second.
        slow_bytes: see `slow_seconds`.
        crashes: of the worker on the same bytes, after which they are refused.
        worker_bytes: of address space that the worker may take beyond what it has with its networks, on a CPU.

    Raises:
        InputError: the memory does not hold two uploads.
    """

    upload_bytes: int = 40 * _MB
    pixels: int = 50 * _MB
    memory_bytes: int = 512 * _MB
    keep_seconds: float = 3600.0
    queue: int = 8
    deadline_seconds: float = 60.0
    json_bytes: int = 64 * 1024
    json_depth: int = 8
    requests: int = 32
    connections: int = 64
    slow_seconds: float = 30.0
    slow_bytes: int = 100_000
    crashes: int = 3
    worker_bytes: int = 6000 * _MB

    def __post_init__(self) -> None:
        if self.memory_bytes < 2 * self.upload_bytes:
            raise InputError(
                f"a pair of images of {self.upload_bytes:,} bytes takes more than a memory of {self.memory_bytes:,}; "
                "give more memory, or allow less for an upload"
            )


@dataclass(frozen=True)
class CollectionFolders:
    """A reconstructed collection.

    Attributes:
        results: folder of `cyano reconstruct --out`.
        images: folder of its images; None for `results/images`, if it is there.
    """

    results: Path
    images: Path | None = None


@dataclass(frozen=True)
class LiveSource:
    """A camera, a stream or a movie that the page shows live, in plain values; another process makes sense of them.

    Attributes:
        name: see `cyano.video.open_source`.
        weights: see `cyano.checkpoints.load`.
        device: see `Settings`.
        frames: fields of `cyano.video.SourceOptions`.
        matching: fields of `cyano.page.forms.MatchOptions`.
        anchor: see `cyano.tracking.anchors.named_anchor`.
        min_matches: see `cyano.tracking.TrackOptions`.
        max_gap: likewise.
        show_keypoints: whether pages show unmatched keypoints to begin with.
        quits: whether a page may end the server.
    """

    name: str
    weights: str | None = None
    device: str = "auto"
    frames: Mapping[str, Any] = field(default_factory=dict)
    matching: Mapping[str, Any] = field(default_factory=dict)
    anchor: str = "first"
    min_matches: int = 30
    max_gap: int = 10
    show_keypoints: bool = False
    quits: bool = False


@dataclass(frozen=True)
class Settings:
    """A server.

        settings = Settings(port=8080, collections=(CollectionFolders(Path("model"), Path("photos")),))

    Attributes:
        host: address to listen at.
        port: likewise; 0 for a free one.
        names: further names that the server is asked for by, such as that of a proxy.
        token: that every request has to bring; None on a loopback address alone.
        weights: see `cyano.checkpoints.load`.
        device: "auto", "cpu", "cuda" or "cuda:N".
        collections: to show, and to localise in.
        limits: see there.
        live: what is shown live; None for nothing.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    weights: str | None = None
    device: str = "auto"
    collections: tuple[CollectionFolders, ...] = ()
    limits: Limits = field(default_factory=Limits)
    live: LiveSource | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host.lower() in LOOPBACK or (is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)

    def answers_to(self, name: str) -> bool:
        """Whether a request may name this host.

        A page of somebody else's can point a name of its own at this machine, but not make the browser send another
        name than that. So names have to be known; addresses are what they are.
        """
        name = name.lower().removeprefix("[").removesuffix("]")
        known = {*LOOPBACK, self.host.lower(), *(each.lower() for each in self.names)}
        return name in known or (not self.is_local and is_address(name))


def is_address(name: str) -> bool:
    """Whether a host is named by its number."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
