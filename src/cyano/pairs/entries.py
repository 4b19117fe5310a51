"""Files in which something is said of images and folders by name: the nearest entry counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

__all__ = ["entry_name", "which"]


def entry_name(written: str) -> str:
    """The name of an entry: folders end in a slash, also where `folder/*` is written; "" is for all, as `*`."""
    if written == "*":
        return ""
    return written[:-1] if written.endswith("/*") else written


def which(listed: Mapping[str, object], name: str) -> str | None:
    """The entry for an image: its own, or that of the nearest folder, or that of all; None if there is none."""
    folders = [f"{folder}/" for folder in PurePosixPath(name).parents if folder.name]
    return next((entry for entry in (name, *folders, "") if entry in listed), None)
