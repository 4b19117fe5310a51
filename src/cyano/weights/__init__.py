"""The weights that come with the package, as data: folders in Hugging Face's form, with model cards."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["DEFAULT", "SHIPPED", "TINY", "default_folder", "shipped_folder"]

DEFAULT = "cyano-small"
"""The name of the default weights."""

TINY = "cyano-tiny"
"""The name of the weights for live use."""

SHIPPED = (DEFAULT, TINY)
"""All that come with the package."""


def default_folder() -> Path:
    """The folder of the default weights, as `cyano.checkpoints.load_folder` and transformers read it."""
    return shipped_folder(DEFAULT)


def shipped_folder(name: str) -> Path:
    """The folder of the weights of that name, one of `SHIPPED`."""
    return Path(str(files(__name__))) / name
