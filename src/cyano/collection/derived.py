"""Files that follow from others: made again when what they follow from has changed, or they themselves have."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cyano.atomic import tidy, write_atomically, written_beside
from cyano.errors import InputError, OutputError
from cyano.reading import read_json
from cyano.records import record_from
from cyano.store import Damage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["check_derived", "derived", "digest_of_content", "source_of", "summary_of"]

logger = logging.getLogger(__name__)

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class _Record:
    """What is known of a target.

    Attributes:
        target: its name.
        made_from: stands for everything that decides its content; "" while it is being replaced.
        digest: of its content.
        summary: what its maker said of it.
    """

    target: str
    made_from: str
    digest: str
    summary: dict[str, Any]


def derived(target: Path, made_from: str, make: Callable[[Path], T], kind: type[T], *, force: bool = False) -> T:
    """The summary of a file, which is made unless it is there, made from the same, and as it was made.

    A record beside the target says what it was made from and the digest of its content. It is withdrawn before the
    target is replaced. So a run that is killed in between, two runs at once, and a disk that loses bytes leave nothing
    that is taken for finished. What another program has changed is kept under another name.

    Args:
        target: file or folder.
        made_from: stands for everything that decides its content.
        make: makes it under the name that it is given, and returns its summary, a dataclass of plain values.
        kind: that dataclass.
        force: make it in any case, also in place of what something else has made.

    Raises:
        OutputError: something else has made the target, or it cannot be written.
    """
    record = _record_of(target)
    tidy(target.parent, {target.name, record.name}.__contains__)
    exists = os.path.lexists(target)
    if exists and not record.exists() and not force:
        raise OutputError(
            f"{target} exists already and was not made by this command; move it away, or replace it with "
            "--overwrite (in Python, force=True)"
        )
    known = _read(record)
    if exists and known is not None and known.made_from:
        as_made = digest_of_content(target) == known.digest
        summary = _summary(kind, known, record)
        if as_made and summary is not None and known.made_from == made_from and not force:
            return summary
        if not as_made:
            _keep_changed(target)
    with written_beside(target, overwrite=True) as beside:
        summary = make(beside)
        digest = digest_of_content(beside)
        write_atomically(record, _document(_Record(target.name, "", "", {})))
    write_atomically(record, _document(_Record(target.name, made_from, digest, asdict(summary))))
    return summary


def source_of(target: Path) -> str | None:
    """What a target was made from; None if it is not there, unfinished, changed since, or made by something else."""
    known = _read(_record_of(target))
    if known is None or not known.made_from or not os.path.lexists(target):
        return None
    return known.made_from if digest_of_content(target) == known.digest else None


def summary_of(target: Path, kind: type[T]) -> T | None:
    """What the maker of a target said of it; None if it is not there, unfinished, or made by something else."""
    record = _record_of(target)
    known = _read(record)
    whole = known is not None and known.made_from and os.path.lexists(target)
    return _summary(kind, known, record) if known is not None and whole else None


def check_derived(folder: Path) -> list[Damage]:
    """The targets in a folder that are not as they were made, or have lost their record."""
    found = []
    for path in sorted(folder.glob("*.json")):
        known = _read(path)
        if known is None or _record_of(folder / known.target) != path or not known.made_from:
            continue  # something else, or being made
        target = folder / known.target
        if not os.path.lexists(target):
            found.append(Damage(target, f"{target} is not there any more"))
        elif digest_of_content(target) != known.digest:
            found.append(Damage(target, f"{target} is not as it was made"))
    return found


def digest_of_content(path: Path) -> str:
    """BLAKE2b of a file, or of all files of a folder with their names, as 64 hexadecimal digits; "" if unreadable."""
    total = hashlib.blake2b(digest_size=32)
    files = sorted(inner for inner in path.rglob("*") if not inner.is_dir()) if path.is_dir() else [path]
    try:
        for file in files:
            name = os.fsencode(file.relative_to(path))
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "blake2b").digest()
            total.update(b"%d:%b%b" % (len(name), name, digest))
    except OSError:
        return ""
    return total.hexdigest()


def _keep_changed(target: Path) -> None:
    aside = target.with_name(f"{target.name}.changed")
    logger.warning("%s is not as it was made and is made again; what was there is %s", target, aside)
    try:
        with written_beside(aside, overwrite=True) as beside:
            target.rename(beside)
    except OSError as error:
        raise OutputError(f"{target} cannot be moved away: {error}; move it yourself") from error


def _record_of(target: Path) -> Path:
    return target.with_name(f"{target.stem}.json")


def _document(record: _Record) -> bytes:
    return (json.dumps(asdict(record), indent=1) + "\n").encode("ascii")


def _read(record: Path) -> _Record | None:
    """The record; None where there is none that can be understood, and the target is made again."""
    try:
        return record_from(_Record, read_json(record), str(record))
    except InputError:
        return None


def _summary(kind: type[T], known: _Record, record: Path) -> T | None:
    """The summary as its dataclass; None if it is not one."""
    try:
        return record_from(kind, known.summary, str(record))
    except InputError:
        return None
