"""Modules of torch to graphs of ONNX, the same bytes for the same parameters."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from cyano.errors import MissingExtraError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

__all__ = ["Example", "set_shape", "traced"]

Example: TypeAlias = tuple[Tensor, Mapping[int, str]]
"""An input to trace with, and the names of those of its axes whose length is free."""

LEAST_SIDE = 16
"""Of a free axis while it is traced: torch takes an axis of one cell for a constant."""


def traced(
    module: nn.Module, inputs: Mapping[str, Example], outputs: Mapping[str, Sequence[str | int]], opset: int
) -> ModelProto:
    """The graph of a module.

    Args:
        module: in evaluation mode; its forward takes the inputs in their order, and gives the outputs in theirs.
        inputs: examples by name. Axes of one name have one length.
        outputs: by name their axes, as numbers or names.
        opset: version of ONNX's operations.

    Returns:
        A graph with all parameters in it, and nothing of where and when it was made.

    Raises:
        MissingExtraError: the packages that write ONNX are absent.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        remedy = 'pip install ".[onnx]" in the folder of Cyano'
        raise MissingExtraError(f"export needs onnx and onnxscript: {remedy}") from error
    axes = {name: torch.export.Dim(name, min=LEAST_SIDE) for _, free in inputs.values() for name in free.values()}
    shapes = {key: {axis: axes[name] for axis, name in free.items()} for key, (_, free) in inputs.items()}
    with torch.no_grad(), _quiet():
        program = torch.export.export(
            module,
            tuple(example for example, _ in inputs.values()),
            dynamic_shapes=tuple(shapes.values()),
            strict=False,
        )
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=opset,
            input_names=list(inputs),
            output_names=list(outputs),
            verbose=False,
        )
    if made is None:
        raise RuntimeError("torch made no graph")
    model = onnx.ModelProto()
    model.CopyFrom(made.model_proto)
    _strip(model)
    for value in model.graph.input:
        example, free = inputs[value.name]
        set_shape(value, [free.get(axis, length) for axis, length in enumerate(example.shape)])
    for value in model.graph.output:
        set_shape(value, outputs[value.name])
    onnx.checker.check_model(model)
    return model


def set_shape(value: Any, axes: Sequence[str | int]) -> None:
    """Declare the shape of an input or output: lengths, and names where the length is free."""
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for axis in axes:
        shape.dim.add(**{"dim_param" if isinstance(axis, str) else "dim_value": axis})


def _strip(model: ModelProto) -> None:
    """Remove what depends on the machine: traces of the program with its paths, versions, intermediate shapes."""
    model.producer_name, model.producer_version, model.doc_string = "cyano", "", ""
    del model.metadata_props[:], model.functions[:]
    _strip_graph(model.graph)


def _strip_graph(graph: GraphProto) -> None:
    graph.name, graph.doc_string = "cyano", ""
    del graph.metadata_props[:], graph.value_info[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What torch's exporter tells of its own insides goes nowhere."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
