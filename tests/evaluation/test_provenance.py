"""The record of a run tells two sets of weights apart, and nothing else."""

from __future__ import annotations

from pathlib import Path

import torch

from cyano.checkpoints import load, load_folder, save_folder
from cyano.checkpoints.digest import weights_digest
from cyano.evaluation.provenance import matching_record
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.weights import default_folder


def test_the_digest_is_of_the_values(tmp_path: Path) -> None:
    networks = load()
    save_folder(tmp_path / "copy", load_folder(default_folder()))
    copied = load(tmp_path / "copy")
    before = weights_digest(networks.superpoint, networks.superglue)
    assert weights_digest(copied.superpoint, copied.superglue) == before
    with torch.no_grad():
        networks.superpoint.get_parameter("encoder.conv_blocks.0.conv_a.weight")[0, 0, 0, 0] += 1e-3
    assert weights_digest(networks.superpoint, networks.superglue) != before
    assert weights_digest(networks.superpoint, None) != before


def test_the_record_holds_the_values_in_force() -> None:
    networks = load()
    assert networks.superglue is not None
    matcher = Matcher(networks, MatcherOptions(nms_radius=7))
    record = matching_record(matcher, networks, ResizeRule.none())
    assert record["nms_radius"] == 7
    assert record["sinkhorn_iterations"] == networks.superglue.config.sinkhorn_iterations
    assert record["resize"] == "off"
    assert matching_record(matcher, networks, ResizeRule.exact(480, 640))["resize"] == "to 640 x 480 (width x height)"
