"""Files that follow from others: made again only when what they follow from has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cyano.atomic import write_atomically
from cyano.errors import OutputError

__all__ = ["derived", "source_of"]

T = TypeVar("T")


def derived(target: Path, made_from: str, make: Callable[[], T], kind: Callable[..., T], *, force: bool = False) -> T:
    """The summary of a file, which is made unless it is there and made from the same.

    A record beside the target says what it was made from. It is withdrawn before the target is replaced, so a run that
    is killed in between leaves nothing that is taken for finished.

    Args:
        target: file or folder.
        made_from: stands for everything that decides its content.
        make: replaces the target and returns its summary, a dataclass of plain values.
        kind: that dataclass.
        force: make it in any case, also in place of what something else has made.

    Raises:
        OutputError: something else has made the target, or the record cannot be written.
    """
    record = _record(target)
    known = _read(record)
    exists = os.path.lexists(target)
    if exists and known is None and not force:
        raise OutputError(f"{target} is there and was not made here; move it away, or replace it with force (--force)")
    if exists and known is not None and known["made_from"] == made_from and not force:
        return kind(**known["summary"])
    write_atomically(record, _document("", {}))
    summary = make()
    write_atomically(record, _document(made_from, vars(summary)))
    return summary


def source_of(target: Path) -> str | None:
    """What a target was made from; None if it is not there, unfinished, or made by something else."""
    known = _read(_record(target))
    return (known["made_from"] or None) if known is not None and os.path.lexists(target) else None


def _record(target: Path) -> Path:
    return target.with_name(f"{target.stem}.json")


def _document(made_from: str, summary: dict[str, Any]) -> bytes:
    return (json.dumps({"made_from": made_from, "summary": summary}, indent=1) + "\n").encode("ascii")


def _read(record: Path) -> dict[str, Any] | None:
    """The record; None where there is none that can be understood."""
    try:
        document = json.loads(record.read_bytes())
        return {"made_from": str(document["made_from"]), "summary": dict(document["summary"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
