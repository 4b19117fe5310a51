"""Graphs made of graphs: constant sizes, small files, real keypoints alone, two images to their matches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from cyano.export.tracing import set_shape

__all__ = ["joined", "with_half_weights", "with_lengths", "with_valid_alone"]

_DETECTED = ("keypoints", "scores", "descriptors", "valid")
_FIRST = "first_axis"


def with_lengths(model: ModelProto, lengths: Mapping[str, int]) -> ModelProto:
    """A copy whose inputs and outputs have these lengths along the axes with these names."""
    made = _copy(model)
    for value in (*made.graph.input, *made.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in lengths:
                axis.dim_value = lengths[axis.dim_param]
    return made


def with_half_weights(model: ModelProto) -> ModelProto:
    """A copy that stores matrices and filters in float16 as far as that loses nothing; see `rounded`.

    The graph turns them into float32 before use. Engines take that for a constant and compute as with float32; what
    they do in half precision is theirs to decide.
    """
    made = _copy(model)
    casts: list[NodeProto] = []
    for tensor in made.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        whole, name = numpy_helper.to_array(tensor), tensor.name
        half = whole.astype(np.float16)
        if np.array_equal(half.astype(np.float32), whole):
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.whole", to=TensorProto.FLOAT))
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return _checked(made)


def with_valid_alone(model: ModelProto) -> ModelProto:
    """A copy of a detector's graph that leaves out keypoints that are not valid; their number is called `count`."""
    made = _copy(model)
    for node in made.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"all/{name}" if name in _DETECTED else name for name in names]
    for name in _DETECTED:
        made.graph.node.append(helper.make_node("Compress", [f"all/{name}", "all/valid"], [name], name=name, axis=0))
    for value in made.graph.output:
        set_shape(value, ["count", *(axis.dim_value for axis in value.type.tensor_type.shape.dim[1:])])
    return _checked(made)


def joined(detector: ModelProto, normalisation: ModelProto, matcher: ModelProto, match_threshold: float) -> ModelProto:
    """Two images to keypoints and matches, as one graph; the weights of the detector are in it once.

    Args:
        detector: from `detector_model`.
        normalisation: from `normalising_model`, for as many keypoints.
        matcher: from `matcher_model`.
        match_threshold: in the place of the matcher's own.
    """
    made = ModelProto(ir_version=matcher.ir_version, producer_name=matcher.producer_name)
    made.opset_import.extend(matcher.opset_import)
    made.graph.name = matcher.graph.name
    made.graph.initializer.append(helper.make_tensor(_FIRST, TensorProto.INT64, [1], [0]))
    for side in "01":
        image = {"image": f"image{side}"}
        found = {name: f"{name}{side}" for name in _DETECTED}
        _append(made.graph, detector.graph, "detector", side, image | found)
        places = {"keypoints": f"keypoints{side}", "positions": f"positions{side}"}
        _append(made.graph, normalisation.graph, "normalisation", side, image | places)
        for name in ("scores", "descriptors", "valid"):
            batch = f"batch/{name}{side}"
            made.graph.node.append(helper.make_node("Unsqueeze", [f"{name}{side}", _FIRST], [batch], name=batch))
        _declare(made.graph, detector.graph, side)
    given = {value.name: f"batch/{value.name}" for value in matcher.graph.input}
    given |= {name: name for name in ("positions0", "positions1")} | {
        each.name: each.name for each in matcher.graph.output
    }
    _append(made.graph, matcher.graph, "matcher", "", given)
    made.graph.output.extend(matcher.graph.output)
    for tensor in made.graph.initializer:
        if tensor.name == "matcher/match_threshold":
            tensor.CopyFrom(numpy_helper.from_array(np.array(match_threshold, np.float32), tensor.name))
    count = detector.graph.output[0].type.tensor_type.shape.dim[0].dim_value
    return _checked(with_lengths(made, {"M": count, "N": count}))


def _append(graph: GraphProto, part: GraphProto, name: str, side: str, renamed: Mapping[str, str]) -> None:
    """Add a part's nodes, their values under names of their own, and its parameters unless they are there already."""
    shared = {tensor.name: f"{name}/{tensor.name}" for tensor in part.initializer}
    there = {tensor.name for tensor in graph.initializer}
    for tensor in part.initializer:
        if shared[tensor.name] not in there:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = shared[tensor.name]
    known = {**shared, **renamed, "": ""}  # an input that a node does without has no name
    for node in part.node:
        added = graph.node.add()
        added.CopyFrom(node)
        added.name = f"{name}{side}/{node.name}"
        for values in (added.input, added.output):
            values[:] = [known.get(value, f"{name}{side}/{value}") for value in values]


def _declare(graph: GraphProto, detector: GraphProto, side: str) -> None:
    """Add one image and its keypoints to the inputs and outputs."""
    image = graph.input.add()
    image.CopyFrom(detector.input[0])
    image.name = f"image{side}"
    for axis in image.type.tensor_type.shape.dim:
        if axis.dim_param:
            axis.dim_param += side
    for value in detector.output:
        if value.name in ("keypoints", "valid"):
            graph.output.add().CopyFrom(value)
            graph.output[-1].name = f"{value.name}{side}"


def _copy(model: ModelProto) -> ModelProto:
    made = ModelProto()
    made.CopyFrom(model)
    return made


def _checked(model: ModelProto) -> ModelProto:
    checker.check_model(model, full_check=True)
    return model
