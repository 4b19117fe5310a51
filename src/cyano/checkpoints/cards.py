"""Model cards: what weights say of themselves, and how their licence stays with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from cyano import weights
from cyano.atomic import write_atomically
from cyano.checkpoints.catalogue import CATALOGUE
from cyano.checkpoints.files import sha256
from cyano.checkpoints.huggingface import WEIGHTS_FILE

__all__ = ["CARD_FILE", "Origin", "keep_card", "licence_of"]

CARD_FILE = "README.md"
_LARGEST = 1_000_000
"""Bytes of a card; what is larger is none."""

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_LICENCE = re.compile(r"^(license|license_name):\s*[\"']?([^\"'\n]+?)[\"']?\s*$", re.MULTILINE)


class Origin(NamedTuple):
    """Where weights were loaded from: the name that was asked for, and the folder or file that it led to."""

    name: str
    path: Path


def licence_of(origin: Origin) -> str | None:
    """The licence of weights: by their name, by the card beside them, or as a copy of known ones; None if unknown."""
    path = origin.path
    known = CATALOGUE.get(_catalogue_name(origin))
    if known is not None:
        return known.licence
    if not path.is_dir():
        return None
    stated = dict(_LICENCE.findall(_front_matter(path / CARD_FILE)))
    licence = stated.get("license_name", stated.get("license"))
    if licence is not None:
        spelled = {entry.licence.lower(): entry.licence for entry in CATALOGUE.values()}
        return spelled.get(licence.lower(), licence)
    file = path / WEIGHTS_FILE
    size = file.stat().st_size if file.is_file() else -1
    if size not in {(weights.shipped_folder(name) / WEIGHTS_FILE).stat().st_size for name in weights.SHIPPED}:
        return None
    digest = sha256(file)
    return next((entry.licence for entry in CATALOGUE.values() if entry.checksums.get(WEIGHTS_FILE) == digest), None)


def keep_card(folder: Path, origin: Origin, *, changed: bool) -> None:
    """Put the card of the weights that a model came from beside it or, if it was changed, a card that names them.

    Files that are there already stay as they are. Nothing is written where nothing is known.

    Args:
        folder: of the model.
        origin: of its weights.
        changed: whether they have been trained or edited since.

    Raises:
        OutputError: the card cannot be written.
    """
    licence = licence_of(origin)
    if not changed and (origin.path / CARD_FILE).is_file():
        cards = {path.name: path.read_bytes() for path in sorted(origin.path.glob("*.md")) if _is_text(path)}
    elif licence is not None:
        cards = {CARD_FILE: _derived(_catalogue_name(origin), licence).encode()}
    else:
        return
    for name, content in cards.items():
        if not (folder / name).exists():
            write_atomically(folder / name, content)


def _catalogue_name(origin: Origin) -> str:
    """The name by which the catalogue knows weights, also where a path to them was given."""
    for name in weights.SHIPPED:
        if origin.path == weights.shipped_folder(name):
            return name
    in_cache = re.search(r"models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]", str(origin.path))
    return f"{in_cache[1]}/{in_cache[2]}" if in_cache else origin.name


def _front_matter(card: Path) -> str:
    """The YAML block at the head of a card; nothing where there is none."""
    if not (card.is_file() and _is_text(card)):
        return ""
    found = _FRONT_MATTER.match(card.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else ""


def _is_text(path: Path) -> bool:
    return path.stat().st_size <= _LARGEST


def _derived(name: str, licence: str) -> str:
    spdx = licence.lower() if re.fullmatch(r"[\w.+-]+", licence) else "other"
    named = "" if spdx != "other" else f'license_name: "{licence}"\n'
    return (
        f"---\nlicense: {spdx}\n{named}---\n\nMade from {name}, whose licence still applies: {licence}. "
        "Describe here how it was changed.\n"
    )
