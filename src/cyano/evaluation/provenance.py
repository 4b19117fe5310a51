"""What made a result: the record that goes with it, so that two numbers can be told apart or compared."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TypeAlias

from cyano import __version__
from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.loading import Networks
from cyano.matcher import Matcher
from cyano.processing.keypoint_maps import frame_margin
from cyano.processing.resize import ResizeRule

__all__ = ["Record", "library_versions", "matching_record", "rule_text"]

Record: TypeAlias = dict[str, str | int | float | bool | None]
"""Plain values by name, as JSON holds them."""


def library_versions() -> dict[str, str]:
    """Versions of the program and of the libraries that decide numbers."""
    libraries = ("torch", "numpy", "opencv-python-headless", "poselib")
    return {"cyano": __version__, "python": platform.python_version(), **{name: version(name) for name in libraries}}


def matching_record(matcher: Matcher, networks: Networks, rule: ResizeRule) -> Record:
    """Everything that decides which matches a pair of images gets, with the values in force.

    Args:
        matcher: the matcher that runs.
        networks: what it was built from.
        rule: how images are resized before matching.
    """
    return {
        "version": __version__,
        "weights": networks.source,
        "weights_sha256": weights_digest(networks.superpoint, networks.superglue),
        "licence": networks.licence,
        "device": matcher.device.type,
        "precision": matcher.options.precision,
        "resize": rule_text(rule),
        "max_keypoints": matcher.detection.max_keypoints,
        "keypoint_threshold": matcher.detection.keypoint_threshold,
        "nms_radius": matcher.detection.nms_radius,
        "border_removal": matcher.detection.border_removal_distance,
        "localisation": matcher.detection.keypoint_localisation,
        "frame_margin": frame_margin(matcher.detection),
        "subpixel": matcher.options.subpixel,
        "align": matcher.options.align,
        "stretch": matcher.options.stretch,
        "match_threshold": matcher.assignment.matching_threshold,
        "confirmed_threshold": matcher.confirmed_threshold,
        "sinkhorn_iterations": matcher.assignment.sinkhorn_iterations,
        "rotations": matcher.options.rotations,
        "views": matcher.options.views,
        "few_matches": matcher.options.few_matches,
        **({} if matcher.options.layers is None else {"layers": matcher.options.layers}),
    }


def rule_text(rule: ResizeRule) -> str:
    """The rule in words, with its sides in the order that --resize takes them."""
    if rule.size is not None:
        return f"to {rule.size.width} x {rule.size.height} (width x height)"
    if rule.longest_side is None:
        return "off"
    return f"longest side {rule.longest_side}" + ("" if rule.allow_upscale else ", smaller images as they are")
