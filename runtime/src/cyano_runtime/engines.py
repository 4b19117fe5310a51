"""Which engines there are, which one is taken, and where it keeps what it has compiled."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from cyano.errors import InputError, MissingExtraError
from cyano.onnx_engines import EngineName, EngineSettings
from cyano_runtime.options import RuntimeOptions

__all__ = ["EngineChoice", "available", "cache_folder", "chosen", "settings_of"]

EngineChoice: TypeAlias = Literal["auto", "openvino", "onnxruntime", "opencv"]

_X86 = ("x86_64", "amd64", "i386", "i686")
_DISTRIBUTIONS = {
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
}
"""What brings each engine."""


def available() -> dict[str, str | None]:
    """The engines with their versions; None for those that are not installed."""
    return {name: _version(name, "cv2" if name == "opencv" else name) for name in _DISTRIBUTIONS}


def _version(name: str, module: str) -> str | None:
    if find_spec(module) is None:
        return None
    for distribution in _DISTRIBUTIONS[name]:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def chosen(name: str) -> EngineName:
    """The engine of that name; of "auto" the fastest that is installed.

    Raises:
        InputError: there is no such engine.
        MissingExtraError: it is not installed, or none is.
    """
    if name not in get_args(EngineChoice):
        raise InputError(f"engine is one of {', '.join(get_args(EngineChoice))}, not {name!r}")
    there = available()
    if name == "auto":
        fastest = ["openvino", "onnxruntime"] if platform.machine().lower() in _X86 else ["onnxruntime", "openvino"]
        name = next((each for each in (*fastest, "opencv") if there[each] is not None), "")
    if not name:
        raise MissingExtraError("no engine for the networks is installed: pip install 'cyano-runtime[onnxruntime]'")
    if there[name] is None:
        raise MissingExtraError(f"{name} is not installed: pip install 'cyano-runtime[{name}]'")
    return cast("EngineName", name)


def settings_of(options: RuntimeOptions, engine: EngineName) -> EngineSettings:
    """What the options mean for an engine.

    Raises:
        InputError: OpenCV is asked for a number of threads, which is the process's.
    """
    if engine == "opencv" and options.threads is not None:
        raise InputError("OpenCV has one number of threads per process: call cv2.setNumThreads instead")
    cache = cache_folder() if engine == "openvino" else None
    return EngineSettings(options.threads, options.precision == "fastest", cache)


def cache_folder() -> Path | None:
    """Where compiled graphs are kept: the user's cache folder; None where that cannot be written."""
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "cyano-runtime"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
