"""A face that looks like transformers': change the import, keep the program.

    from cyano.hf import AutoImageProcessor, AutoModel   # instead of: from transformers import ...

Files, tensor names, inputs and outputs are transformers'. Where its numbers are wrong, Cyano's are right by
default, and `transformers_exact=True` on models and processors gives transformers' to the digit;
docs/transformers.md lists every difference.
"""

from __future__ import annotations

from cyano.hf.auto import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForKeypointDetection,
    AutoModelForKeypointMatching,
)
from cyano.hf.configuration import SuperGlueConfig, SuperPointConfig
from cyano.hf.image_processing import SuperGlueImageProcessor, SuperPointImageProcessor
from cyano.hf.modeling_superglue import SuperGlueForKeypointMatching
from cyano.hf.modeling_superpoint import SuperPointForKeypointDetection
from cyano.hf.outputs import (
    BatchFeature,
    SuperGlueKeypointMatchingOutput,
    SuperPointKeypointDescriptionOutput,
)
from cyano.hf.trainer import SaveConfig

__all__ = [
    "AutoConfig",
    "AutoImageProcessor",
    "AutoModel",
    "AutoModelForKeypointDetection",
    "AutoModelForKeypointMatching",
    "BatchFeature",
    "SaveConfig",
    "SuperGlueConfig",
    "SuperGlueForKeypointMatching",
    "SuperGlueImageProcessor",
    "SuperGlueKeypointMatchingOutput",
    "SuperPointConfig",
    "SuperPointForKeypointDetection",
    "SuperPointImageProcessor",
    "SuperPointKeypointDescriptionOutput",
]
