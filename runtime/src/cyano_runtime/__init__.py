"""Cyano without torch: two photographs in, their correspondences out, by networks in ONNX.

    from cyano_runtime import Matcher

    result = Matcher().match("a.jpg", "b.jpg")
    print(result.keypoints0, result.keypoints1, result.scores)

Names load on first use, so that importing the package loads no engine. docs/how-to/runtime.md says what differs from
the package `cyano`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cyano.errors import CyanoError, ImageError, InputError, MissingExtraError, OutputError, WeightsError

if TYPE_CHECKING:
    from cyano_runtime.features import Features
    from cyano_runtime.matcher import Matcher
    from cyano_runtime.options import ResizeRule, RuntimeOptions
    from cyano_runtime.result import PairResult

__version__ = "0.2.0"

_HOMES = {
    "Features": "cyano_runtime.features",
    "Matcher": "cyano_runtime.matcher",
    "PairResult": "cyano_runtime.result",
    "ResizeRule": "cyano_runtime.options",
    "RuntimeOptions": "cyano_runtime.options",
}

__all__ = [
    "CyanoError",
    "Features",
    "ImageError",
    "InputError",
    "Matcher",
    "MissingExtraError",
    "OutputError",
    "PairResult",
    "ResizeRule",
    "RuntimeOptions",
    "WeightsError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cyano_runtime' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
