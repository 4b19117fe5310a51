"""Graphs run by the engines that a parity check asks for: onnxruntime, OpenCV's dnn, OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from cyano.errors import CyanoError, InputError, MissingExtraError, OutputError

__all__ = ["ENGINES", "Arrays", "EngineName", "engine_version", "loaded"]

EngineName: TypeAlias = Literal["onnxruntime", "opencv", "openvino"]
Arrays: TypeAlias = Mapping[str, NDArray[np.generic]]
Run: TypeAlias = Callable[[Arrays], dict[str, NDArray[np.generic]]]
"""Inputs by name to outputs by name: engines differ in their order."""


def loaded(content: bytes, engine: EngineName, outputs: tuple[str, ...], threads: int = 0) -> Run:
    """A graph ready to run on the processor, in float32.

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
    try:
        with _refusals(engine):
            run = ENGINES[engine](content, outputs, threads)
    except ImportError as error:
        raise MissingExtraError(f"{engine} is not installed; install cyano[onnx], or {engine} itself") from error

    def guarded(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        with _refusals(engine):
            return run(inputs)

    return guarded


@contextmanager
def _refusals(engine: EngineName) -> Iterator[None]:
    """What an engine raises, in classes of its own, is one `OutputError`."""
    try:
        yield
    except (CyanoError, ImportError):
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OutputError(f"{engine} cannot run the graph, and nothing was written: {reason}") from error


def engine_version(engine: EngineName) -> str:
    """Of an engine that is installed."""
    return version("opencv-python-headless" if engine == "opencv" else engine)


def _onnxruntime(content: bytes, outputs: tuple[str, ...], threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        return dict(zip(outputs, session.run(list(outputs), dict(inputs)), strict=True))

    return run


def _opencv(content: bytes, outputs: tuple[str, ...], threads: int) -> Run:
    import cv2

    if int(cv2.__version__.split(".", maxsplit=1)[0]) < 5:
        raise InputError(f"OpenCV {cv2.__version__} cannot run these graphs; install opencv-python-headless>=5")
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    if threads:
        cv2.setNumThreads(threads)

    def run(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        for name, array in inputs.items():
            network.setInput(cast("NDArray[np.float32]", array), name)
        # All outputs at once, by name: asked for one by one, they would be of different runs.
        found = network.forward(list(outputs))
        return {name: np.array(array) for name, array in zip(outputs, found, strict=True)}

    return run


def _openvino(content: bytes, outputs: tuple[str, ...], threads: int) -> Run:
    import openvino

    # Left to itself OpenVINO takes bfloat16 where the processor has it, and finds other matches.
    settings: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content, b""), "CPU", settings)

    def run(inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        found = compiled(dict(inputs))
        return {name: np.array(found[name]) for name in outputs}

    return run


ENGINES: Final[Mapping[EngineName, Callable[[bytes, tuple[str, ...], int], Run]]] = MappingProxyType(
    {"onnxruntime": _onnxruntime, "opencv": _opencv, "openvino": _openvino}
)
