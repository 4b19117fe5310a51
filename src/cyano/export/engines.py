"""Graphs run by the engines that a parity check asks for."""

from __future__ import annotations

from importlib.metadata import version

from cyano.errors import OutputError
from cyano.onnx_engines import ENGINES, Arrays, EngineName, EngineSettings, Run, check_installed, opened

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


def engine_version(engine: EngineName) -> str:
    """Of an engine that is installed."""
    return version("opencv-python-headless" if engine == "opencv" else engine)
