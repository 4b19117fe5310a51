"""Engines that compute a graph in ONNX. Each is imported when it is used, and asked for its outputs by name."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError, MissingExtraError, WeightsError
from cyano.reading import reason_of

__all__ = ["ENGINES", "Arrays", "EngineName", "Graph", "available", "cache_folder", "chosen", "open_graph"]

EngineName: TypeAlias = Literal["auto", "openvino", "onnxruntime", "opencv"]
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

_X86 = ("x86_64", "amd64", "i386", "i686")


class Graph(Protocol):
    """A graph that an engine has opened."""

    def __call__(self, inputs: Arrays) -> Arrays:
        """Its outputs by name."""


class OpenVino:
    """OpenVINO on the CPU, in float32 unless the fastest precision is wanted; compiled graphs are kept on disk."""

    def __init__(self, content: bytes, outputs: Sequence[str], threads: int | None, fastest: bool) -> None:
        """Compile a graph."""
        import openvino

        core = openvino.Core()
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if not fastest:  # its own choice is bfloat16 where the processor has it
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        if (cache := cache_folder()) is not None:
            core.set_property({"CACHE_DIR": os.fspath(cache)})
        self._outputs = outputs
        self._compiled = core.compile_model(core.read_model(content), "CPU", settings)

    def __call__(self, inputs: Arrays) -> Arrays:
        """Compute."""
        found = self._compiled(dict(inputs))
        return {name: np.asarray(found[name]) for name in self._outputs}


class OnnxRuntime:
    """onnxruntime on the CPU."""

    def __init__(self, content: bytes, outputs: Sequence[str], threads: int | None, _fastest: bool) -> None:
        """Open a session."""
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # threads that wait leave the cores alone
        if threads is not None:
            options.intra_op_num_threads = threads
        self._outputs = list(outputs)
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented) as error:
            raise RuntimeError(str(error)) from error  # they have no base class but Exception

    def __call__(self, inputs: Arrays) -> Arrays:
        """Compute."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


class OpenCv:
    """OpenCV's module dnn, which is there in any case; version 5 knows the operators."""

    def __init__(self, content: bytes, outputs: Sequence[str], threads: int | None, _fastest: bool) -> None:
        """Read a graph."""
        if int(cv2.__version__.split(".")[0]) < 5:
            raise InputError(
                f"OpenCV {cv2.__version__} does not compute these graphs; install opencv-python-headless>=5, "
                "onnxruntime or openvino"
            )
        if threads is not None:
            raise InputError("OpenCV's threads are those of the process: call cv2.setNumThreads instead")
        self._outputs = list(outputs)
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))

    def __call__(self, inputs: Arrays) -> Arrays:
        """Compute."""
        for name, values in inputs.items():
            self._network.setInput(np.ascontiguousarray(values), name)
        return dict(zip(self._outputs, self._network.forward(self._outputs), strict=True))


ENGINES: dict[str, Callable[[bytes, Sequence[str], int | None, bool], Graph]] = {
    "openvino": OpenVino,
    "onnxruntime": OnnxRuntime,
    "opencv": OpenCv,
}


def available() -> dict[str, str | None]:
    """The engines with their versions; None for those that are not installed."""
    versions: dict[str, str | None] = {"opencv": cv2.__version__}
    for name in ("openvino", "onnxruntime"):
        try:
            versions[name] = metadata.version(name) if find_spec(name) is not None else None
        except metadata.PackageNotFoundError:  # under another name, such as onnxruntime-gpu
            versions[name] = "of unknown version"
    return {name: versions[name] for name in ENGINES}


def chosen(name: str) -> str:
    """The engine of that name; of "auto" the fastest that is installed.

    Raises:
        InputError: there is no such engine.
        MissingExtraError: it is not installed.
    """
    if name not in get_args(EngineName):
        raise InputError(f"engine is one of {', '.join(get_args(EngineName))}, not {name!r}")
    there = available()
    if name == "auto":
        order = ["openvino", "onnxruntime"] if platform.machine().lower() in _X86 else ["onnxruntime"]
        return next((each for each in order if there[each] is not None), "opencv")
    if there[name] is None:
        raise MissingExtraError(f"{name} is not installed: pip install 'cyano-runtime[{name}]'")
    return name


def open_graph(engine: str, content: bytes, outputs: Sequence[str], threads: int | None, *, fastest: bool) -> Graph:
    """A graph, ready to compute.

    Args:
        engine: from `chosen`.
        content: of an ONNX file.
        outputs: the names that are asked for.
        threads: of the engine; None for its own choice.
        fastest: whether it may compute in less than float32.

    Raises:
        InputError: the engine cannot be set up so.
        WeightsError: the engine does not take the graph.
    """
    try:
        return ENGINES[engine](content, outputs, threads, fastest)
    except (RuntimeError, ValueError, TypeError, cv2.error) as error:
        if isinstance(error, InputError):
            raise
        raise WeightsError(
            f"{engine} {available()[engine]} does not take the graph ({reason_of(error)}); use another one"
        ) from error


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
