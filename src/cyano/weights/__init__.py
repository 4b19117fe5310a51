"""The weights that come with the package, as data: a folder in Hugging Face's form, with a model card."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["DEFAULT", "default_folder"]

DEFAULT = "cyano-small"
"""The name of the default weights."""


def default_folder() -> Path:
    """The folder of the default weights, as `cyano.checkpoints.load_folder` and transformers read it."""
    return Path(str(files(__name__))) / DEFAULT
