"""The configuration of the original's classes: which keys there are, and the matcher that they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyano.adapters.common import DeviceMatchers
from cyano.errors import InputError, WeightsError
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.records import record_from

__all__ = ["Engine"]

FOLDER = Path("models/weights")
"""Where programs written for the original keep its .pth files."""


@dataclass(frozen=True)
class _Detection:
    """Keys of the detector's configuration; None is what the weights say."""

    weights: str | None = None
    descriptor_dim: int | None = None
    nms_radius: int | None = None
    keypoint_threshold: float | None = None
    max_keypoints: int | None = None
    remove_borders: int | None = None


@dataclass(frozen=True)
class _Assignment:
    """Keys of the matcher's configuration; None is what the weights say."""

    weights: str | None = None
    descriptor_dim: int | None = None
    keypoint_encoder: tuple[int, ...] | None = None
    GNN_layers: tuple[str, ...] | None = None
    sinkhorn_iterations: int | None = None
    match_threshold: float | None = None


@dataclass(frozen=True)
class _Rules:
    """The configuration."""

    superpoint: _Detection = _Detection()
    superglue: _Assignment = _Assignment()


class Engine(DeviceMatchers):
    """Weights and rules as a configuration says them.

    Attributes:
        exact: see `Matching`.
        threshold: a match has a greater probability.
    """

    def __init__(self, config: Mapping[str, Any], exact: bool = False) -> None:
        """Load the weights and check the rules against them; arguments and errors are those of `Matching`."""
        rules = record_from(_Rules, config, "the configuration")
        points, matches = rules.superpoint, rules.superglue
        options = MatcherOptions(
            resize=ResizeRule.none(),
            max_keypoints=points.max_keypoints,
            keypoint_threshold=points.keypoint_threshold,
            nms_radius=points.nms_radius,
            match_threshold=0.0 if exact else matches.match_threshold,
            sinkhorn_iterations=matches.sinkhorn_iterations,
            subpixel=not exact,
            align=not exact,
        )
        super().__init__(_weights(matches.weights or points.weights), options, border=points.remove_borders)
        superglue = self.networks.superglue
        if superglue is None:
            raise WeightsError(f"{self.networks.source} has no matcher; give a matcher's weights as well")
        sizes = superglue.config
        own = (sizes.input_size or sizes.hidden_size, sizes.keypoint_encoder_sizes, sizes.gnn_layers_types)
        asked = (matches.descriptor_dim or points.descriptor_dim, matches.keypoint_encoder, matches.GNN_layers)
        for key, wanted, there in zip(("descriptor_dim", "keypoint_encoder", "GNN_layers"), asked, own, strict=True):
            if wanted is not None and wanted != there:
                raise InputError(f"{key} of these weights is {there}, not {wanted}; leave it out of the configuration")
        self.exact = exact
        self.threshold = sizes.matching_threshold if matches.match_threshold is None else matches.match_threshold


def _weights(name: str | None) -> str | Path | None:
    """What `cyano.checkpoints.load` takes, of the original's names as well.

    Raises:
        WeightsError: the original's file is not there.
    """
    if name not in ("indoor", "outdoor"):
        return name
    file = FOLDER / f"superglue_{name}.pth"
    if not file.exists():
        raise WeightsError(
            f"{file} is missing: put the original's files there, or leave 'weights' out for those that come with Cyano"
        )
    return file
