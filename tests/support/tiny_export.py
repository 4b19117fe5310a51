"""An export of two small graphs, written by hand: keypoints on a grid, matches by the nearest descriptor."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COUNT, CHANNELS = 24, 32
"""Keypoints that the detector gives, and channels of their descriptors."""

HIDDEN = 4
"""The last of them are no keypoints."""

SURE = 0.96
"""Probability of a match of equal descriptors."""

LEAST, USUAL = 0.05, 0.2
"""Probability of the matches in the graph, and the usual one."""

KEYPOINTS = np.stack(np.meshgrid(np.arange(20, 140, 20), np.arange(20, 100, 20)), axis=-1).reshape(-1, 2)
"""(24, 2) (x, y) in pixels of the image."""

DETECTED = ("keypoints", "scores", "descriptors", "valid")
MATCHED = ("matches0", "matches1", "matching_scores0", "matching_scores1")


def write_tiny_export(folder: Path) -> Path:
    """Write detector.onnx, matcher.onnx and export.json; outputs are in another order than they are asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    graphs: dict[str, dict[str, Any]] = {}
    for name, model in (("detector", _detector()), ("matcher", _matcher())):
        content = model.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(content)
        graphs[name] = {
            "file": f"{name}.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "inputs": [{"name": each.name} for each in model.graph.input],
            "outputs": [{"name": each.name} for each in model.graph.output],
        }
    graphs["matcher"]["match_threshold"] = LEAST
    document = {
        "format": "cyano-export-1",
        "weights": {"name": "tiny", "licence": "Apache-2.0", "digest": "0"},
        "graphs": graphs,
        "options": {"max_keypoints": COUNT, "match_threshold": USUAL, "keypoint_localisation": "structure"},
    }
    (folder / "export.json").write_text(json.dumps(document))
    return folder


def descriptors() -> np.ndarray:
    """(24, 32) float32 unit rows, the same of every image."""
    rows = np.random.default_rng(0).normal(size=(COUNT, CHANNELS))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _detector() -> onnx.ModelProto:
    """Constants; the scores fall from 0.9 and have nothing of the image but 0 times its mean."""
    valid = np.arange(COUNT) < COUNT - HIDDEN
    constants = {
        "all_keypoints": KEYPOINTS.astype(np.float32),
        "all_scores": np.linspace(0.9, 0.1, COUNT).astype(np.float32),
        "all_descriptors": descriptors(),
        "all_valid": valid.astype(np.float32),
        "zero": np.zeros((1,), np.float32),
        "half": np.full((1,), 0.5, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        *(helper.make_node("Add", [f"all_{name}", "nothing"], [name]) for name in DETECTED[:3]),
        helper.make_node("Add", ["all_valid", "nothing"], ["any_valid"]),
        helper.make_node("Greater", ["any_valid", "half"], ["valid"]),
    ]
    outputs = [
        _value("valid", TensorProto.BOOL, COUNT),
        _value("descriptors", TensorProto.FLOAT, COUNT, CHANNELS),
        _value("scores", TensorProto.FLOAT, COUNT),
        _value("keypoints", TensorProto.FLOAT, COUNT, 2),
    ]
    return _model(nodes, [_value("image", TensorProto.FLOAT, 1, 1, "h", "w")], outputs, constants)


def _matcher() -> onnx.ModelProto:
    """The most alike descriptor, and how alike it is; nearness in position does not matter."""
    nodes = [helper.make_node("Transpose", ["descriptors1"], ["turned"], perm=[0, 2, 1])]
    nodes.append(helper.make_node("MatMul", ["descriptors0", "turned"], ["products"]))
    # All inputs have a part in it, since OpenVINO drops those that have none.
    unused = [f"{name}{side}" for name in ("positions", "scores", "valid") for side in "01"]
    nodes += [helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT) for name in unused]
    nodes += [helper.make_node("ReduceMean", [f"{name}_float"], [f"{name}_mean"], keepdims=0) for name in unused]
    nodes.append(helper.make_node("Sum", [f"{name}_mean" for name in unused], ["total"]))
    nodes.append(helper.make_node("Mul", ["total", "zero"], ["nothing"]))
    nodes.append(helper.make_node("Mul", ["products", "sure"], ["scaled"]))
    nodes.append(helper.make_node("Add", ["scaled", "nothing"], ["alike"]))
    for side, axis in (("0", 2), ("1", 1)):
        nodes.append(helper.make_node("ArgMax", ["alike"], [f"matches{side}"], axis=axis, keepdims=0))
        axes = f"axes{side}"
        nodes.append(helper.make_node("ReduceMax", ["alike", axes], [f"matching_scores{side}"], keepdims=0))
    inputs = []
    for side, count in (("0", "M"), ("1", "N")):
        inputs += [
            _value(f"positions{side}", TensorProto.FLOAT, 1, count, 2),
            _value(f"scores{side}", TensorProto.FLOAT, 1, count),
            _value(f"descriptors{side}", TensorProto.FLOAT, 1, count, CHANNELS),
            _value(f"valid{side}", TensorProto.BOOL, 1, count),
        ]
    outputs = [
        _value("matching_scores1", TensorProto.FLOAT, 1, "N"),
        _value("matches1", TensorProto.INT64, 1, "N"),
        _value("matching_scores0", TensorProto.FLOAT, 1, "M"),
        _value("matches0", TensorProto.INT64, 1, "M"),
    ]
    floats = {"zero": np.zeros((1,), np.float32), "sure": np.full((1,), SURE, np.float32)}
    return _model(nodes, inputs, outputs, {"axes0": np.array([2]), "axes1": np.array([1])} | floats)


def _value(name: str, kind: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model
