"""One export of tiny networks for all tests of it, since tracing takes seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyano.checkpoints.loading import Networks
from cyano.export import Export, ExportOptions, export_networks
from support.networks import SMALL_SUPERGLUE, SMALL_SUPERPOINT, random_superglue, random_superpoint

COUNT = 60
"""Keypoints of the export."""


@pytest.fixture(scope="session")
def tiny() -> Networks:
    """A detector and a matcher with random weights."""
    rules = replace(SMALL_SUPERPOINT, keypoint_localisation="structure", keypoint_threshold=1e-6)
    matching = replace(
        SMALL_SUPERGLUE, gnn_layers_types=("self", "cross"), sinkhorn_iterations=11, matching_threshold=0.01
    )
    return Networks(random_superpoint(rules), random_superglue(matching), "tiny", None)


@pytest.fixture(scope="session")
def exported(tiny: Networks, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """All three graphs of it, checked in onnxruntime."""
    pytest.importorskip("onnxscript", reason="the extra onnx brings what writes graphs")
    pytest.importorskip("onnxruntime", reason="the extra onnx brings onnxruntime")
    folder = tmp_path_factory.mktemp("export") / "onnx"
    return export_networks(tiny, folder, ExportOptions(max_keypoints=COUNT))
