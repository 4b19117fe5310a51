"""Graphs run by the engines that a parity check asks for."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

from cyano.errors import MissingExtraError, OutputError
from cyano.onnx_engines import ENGINES, Arrays, EngineName, EngineSettings, Run, opened

__all__ = ["ENGINES", "Arrays", "EngineName", "check_installed", "engine_version", "loaded"]


def loaded(content: bytes, engine: EngineName, outputs: tuple[str, ...], threads: int = 0) -> Run:
    """A graph ready to run, in float32.

    Args:
        content: of an ONNX file.
        engine: which.
        outputs: the names of the graph's outputs.
        threads: that the engine takes; 0 leaves it to the engine. OpenCV has one number for the process.

    Raises:
        MissingExtraError: the engine is not installed.
        InputError: this version of it cannot run such graphs.
        OutputError: it cannot run this one; likewise when it is called.
    """
    settings = EngineSettings(threads or None)
    return opened(content, engine, outputs, settings, remedy="nothing was written", error=OutputError)


def check_installed(engine: EngineName) -> None:
    """Look for an engine before the work.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import_module("cv2" if engine == "opencv" else engine)
    except ImportError as error:
        raise MissingExtraError(f"{engine} is not installed; install cyano[onnx], or {engine} itself") from error


def engine_version(engine: EngineName) -> str:
    """Of an engine that is installed."""
    return version("opencv-python-headless" if engine == "opencv" else engine)
