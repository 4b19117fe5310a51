"""Cyano, an open SuperGlue: two photographs in, their correspondences out.

`cyano.match("a.jpg", "b.jpg")` is the whole program; `cyano.Matcher` is the same, built once for many images.
Names load on first use, so that importing cyano loads neither torch nor OpenCV nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyano.errors import CyanoError, ImageError, InputError, MissingExtraError, OutputError, WeightsError
    from cyano.geometry import Camera, RobustEstimate, RobustOptions
    from cyano.hf import (
        AutoImageProcessor,
        AutoModel,
        AutoModelForKeypointDetection,
        AutoModelForKeypointMatching,
        SuperGlueConfig,
        SuperGlueForKeypointMatching,
        SuperGlueImageProcessor,
        SuperPointConfig,
        SuperPointForKeypointDetection,
        SuperPointImageProcessor,
    )
    from cyano.matcher import Matcher, match
    from cyano.options import MatcherOptions
    from cyano.processing.resize import ResizeRule
    from cyano.result import PairResult
    from cyano.types import Features, ImageSize, Matches, ResizeMap

__version__ = "0.2.0"

_HOMES = {
    "AutoImageProcessor": "cyano.hf",
    "AutoModel": "cyano.hf",
    "AutoModelForKeypointDetection": "cyano.hf",
    "AutoModelForKeypointMatching": "cyano.hf",
    "Camera": "cyano.geometry",
    "CyanoError": "cyano.errors",
    "Features": "cyano.types",
    "ImageError": "cyano.errors",
    "ImageSize": "cyano.types",
    "InputError": "cyano.errors",
    "Matcher": "cyano.matcher",
    "MatcherOptions": "cyano.options",
    "Matches": "cyano.types",
    "MissingExtraError": "cyano.errors",
    "OutputError": "cyano.errors",
    "PairResult": "cyano.result",
    "ResizeMap": "cyano.types",
    "ResizeRule": "cyano.processing.resize",
    "RobustEstimate": "cyano.geometry",
    "RobustOptions": "cyano.geometry",
    "SuperGlueConfig": "cyano.hf",
    "SuperGlueForKeypointMatching": "cyano.hf",
    "SuperGlueImageProcessor": "cyano.hf",
    "SuperPointConfig": "cyano.hf",
    "SuperPointForKeypointDetection": "cyano.hf",
    "SuperPointImageProcessor": "cyano.hf",
    "WeightsError": "cyano.errors",
    "match": "cyano.matcher",
}

__all__ = [
    "AutoImageProcessor",
    "AutoModel",
    "AutoModelForKeypointDetection",
    "AutoModelForKeypointMatching",
    "Camera",
    "CyanoError",
    "Features",
    "ImageError",
    "ImageSize",
    "InputError",
    "Matcher",
    "MatcherOptions",
    "Matches",
    "MissingExtraError",
    "OutputError",
    "PairResult",
    "ResizeMap",
    "ResizeRule",
    "RobustEstimate",
    "RobustOptions",
    "SuperGlueConfig",
    "SuperGlueForKeypointMatching",
    "SuperGlueImageProcessor",
    "SuperPointConfig",
    "SuperPointForKeypointDetection",
    "SuperPointImageProcessor",
    "WeightsError",
    "__version__",
    "match",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cyano' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
