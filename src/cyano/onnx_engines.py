"""Engines that run graphs in ONNX: OpenVINO, onnxruntime, OpenCV's dnn. Each is imported when it is used.

Two distributions have it: Cyano compares the graphs that it exports by them, and the one without torch
(docs/decisions/0026-runtime.md) matches by them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from cyano.errors import CyanoError, InputError, MissingExtraError, WeightsError
from cyano.reading import reason_of

__all__ = ["ENGINES", "Arrays", "EngineName", "EngineSettings", "Run", "check_installed", "opened"]

EngineName: TypeAlias = Literal["openvino", "onnxruntime", "opencv"]
Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]
Run: TypeAlias = Callable[[Arrays], dict[str, NDArray[np.generic]]]
"""Inputs by name to outputs by name: engines differ in their order."""


@dataclass(frozen=True)
class EngineSettings:
    """How an engine computes.

    Attributes:
        threads: that it takes; None leaves it to the engine. OpenCV has one number for the process.
        fastest: whether OpenVINO may compute in less than float32.
        cache: folder where OpenVINO keeps what it has compiled; None for nowhere.
    """

    threads: int | None = None
    fastest: bool = False
    cache: Path | None = None


DEFAULT_SETTINGS = EngineSettings()


def opened(
    content: bytes,
    engine: EngineName,
    outputs: Sequence[str],
    settings: EngineSettings = DEFAULT_SETTINGS,
    *,
    remedy: str = "use another engine",
    error: type[CyanoError] = WeightsError,
) -> Run:
    """A graph ready to run.

    Args:
        content: of an ONNX file.
        engine: which.
        outputs: the names of the outputs that are asked for.
        settings: how to compute.
        remedy: what to do if the engine cannot run the graph, for the message.
        error: the kind of error.

    Raises:
        MissingExtraError: the engine is not installed.
        InputError: this version of it cannot run such graphs.
        CyanoError: of the kind that was asked for: it cannot run this one; likewise when it is called.
    """
    check_installed(engine)
    with _refusals(engine, remedy, error):
        run = ENGINES[engine](content, list(outputs), settings)

    def guarded(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        with _refusals(engine, remedy, error):
            return run(inputs)

    return guarded


def check_installed(engine: EngineName) -> None:
    """Look for an engine before the work.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import_module("cv2" if engine == "opencv" else engine)
    except ImportError as error:
        package = "opencv-python-headless" if engine == "opencv" else engine
        raise MissingExtraError(f"{engine} is not installed: pip install {package}") from error


@contextmanager
def _refusals(engine: EngineName, remedy: str, error: type[CyanoError]) -> Iterator[None]:
    """What an engine raises, in classes that have no base but `Exception`, is one error."""
    try:
        yield
    except CyanoError:
        raise
    except Exception as cause:
        raise error(f"{engine} cannot run the graph ({reason_of(cause)}); {remedy}") from cause


def _openvino(content: bytes, outputs: list[str], settings: EngineSettings) -> Run:
    import openvino

    chosen: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY"}
    if not settings.fastest:  # its own choice is bfloat16 where the processor has it, which finds other matches
        chosen["INFERENCE_PRECISION_HINT"] = "f32"
    if settings.threads is not None:
        chosen["INFERENCE_NUM_THREADS"] = settings.threads
    core = openvino.Core()
    if settings.cache is not None:
        core.set_property({"CACHE_DIR": os.fspath(settings.cache)})
    compiled = core.compile_model(core.read_model(content, b""), "CPU", chosen)

    def run(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        found = compiled(dict(inputs))
        return {name: np.array(found[name]) for name in outputs}

    return run


def _onnxruntime(content: bytes, outputs: list[str], settings: EngineSettings) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # who waits leaves the cores to others
    if settings.threads is not None:
        options.intra_op_num_threads = settings.threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        return dict(zip(outputs, session.run(outputs, dict(inputs)), strict=True))

    return run


def _opencv(content: bytes, outputs: list[str], settings: EngineSettings) -> Run:
    import cv2

    if int(cv2.__version__.split(".", maxsplit=1)[0]) < 5:
        raise InputError(f"OpenCV {cv2.__version__} cannot run these graphs; install opencv-python-headless>=5")
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    if settings.threads is not None:
        cv2.setNumThreads(settings.threads)

    def run(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        for name, array in inputs.items():
            network.setInput(np.ascontiguousarray(cast("NDArray[np.float32]", array)), name)
        # All outputs at once, by name: asked for one by one, they would be of different runs.
        found = network.forward(outputs)
        return {name: np.array(array) for name, array in zip(outputs, found, strict=True)}

    return run


ENGINES: Final[Mapping[EngineName, Callable[[bytes, list[str], EngineSettings], Run]]] = MappingProxyType(
    {"openvino": _openvino, "onnxruntime": _onnxruntime, "opencv": _opencv}
)
