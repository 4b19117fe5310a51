"""What jobs give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "GoneError"]


class GoneError(Exception):
    """Something that a job needs is not there, or is not kept any more."""


@dataclass(frozen=True)
class Answer:
    """What a job gives.

    Attributes:
        facts: plain values.
        blobs: contents of answers, as they go to the client.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    blobs: tuple[bytes, ...] = field(default=(), repr=False)
