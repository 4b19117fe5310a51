"""The weights that come with the package, as data: one folder each, in Hugging Face's form, with a model card."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["DEFAULT", "default_folder"]

DEFAULT = "cyano-small"
"""The name of the default weights."""


def default_folder() -> Path:
    """The folder of the default weights: config.json, model.safetensors, preprocessor_config.json, README.md."""
    return Path(str(files(__name__))) / DEFAULT
