"""Weights on disk and on the hub: finding, checking, reading, converting and writing them.

`load` is what most callers need. `huggingface` and `magicleap` know the two forms of checkpoints, `hub` finds
them, `catalogue` says what is known of their terms.
"""

from __future__ import annotations

from cyano.checkpoints.catalogue import CATALOGUE, Verification, WeightsEntry, verify
from cyano.checkpoints.checkpoint import Checkpoint
from cyano.checkpoints.hub import HubOptions, resolve
from cyano.checkpoints.huggingface import load_folder, save_folder
from cyano.checkpoints.loading import Networks, load
from cyano.checkpoints.lone_matcher import LoneMatcher, load_matcher, save_matcher

__all__ = [
    "CATALOGUE",
    "Checkpoint",
    "HubOptions",
    "LoneMatcher",
    "Networks",
    "Verification",
    "WeightsEntry",
    "load",
    "load_folder",
    "load_matcher",
    "resolve",
    "save_folder",
    "save_matcher",
    "verify",
]
