"""Graphs made of graphs compute what they are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cyano.export import Export
from cyano.export.checks import DETECTED
from cyano.export.engines import loaded
from cyano.export.parity import pictures
from cyano.export.variants import with_half_weights, with_lengths, with_valid_alone
from cyano.types import ImageSize

IMAGE = pictures(ImageSize(72, 88), 3)[0][None, None]


@pytest.fixture(scope="module")
def detector(exported: Export) -> onnx.ModelProto:
    return onnx.load(exported.folder / "detector.onnx")


def _run(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return loaded(model.SerializeToString(), "onnxruntime", DETECTED)({"image": IMAGE})


def test_constant_sizes(detector: onnx.ModelProto) -> None:
    fixed = with_lengths(detector, {"height": 72, "width": 88})
    dims = fixed.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_value for axis in dims] == [1, 1, 72, 88]
    for name, found in _run(fixed).items():
        np.testing.assert_array_equal(found, _run(detector)[name])
    with pytest.raises(Exception, match="dimension"):
        loaded(fixed.SerializeToString(), "onnxruntime", DETECTED)({"image": IMAGE[..., :80]})
    assert detector.graph.input[0].type.tensor_type.shape.dim[2].dim_param == "height"  # the original is as it was


def test_half_weights(detector: onnx.ModelProto, tmp_path: Path) -> None:
    rounded = onnx.ModelProto()
    rounded.CopyFrom(detector)
    for tensor in rounded.graph.initializer:
        if tensor.name.endswith(".weight"):
            values = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    half = with_half_weights(rounded)
    assert half.ByteSize() < 0.75 * rounded.ByteSize()  # biases and the filters of the structure stay
    stored = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert stored["keypoints.filters"] == onnx.TensorProto.FLOAT
    for name, found in _run(half).items():
        np.testing.assert_array_equal(found, _run(rounded)[name])


def test_valid_keypoints_alone(detector: onnx.ModelProto) -> None:
    all_of_them, alone = _run(detector), _run(with_valid_alone(detector))
    assert 0 < alone["valid"].sum() == len(alone["valid"])
    for name, found in alone.items():
        np.testing.assert_array_equal(found, all_of_them[name][all_of_them["valid"]])
