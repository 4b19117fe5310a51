"""The motion from a frame's anchor to the frame, where the camera is known."""

from __future__ import annotations

from typing import Any, TypeAlias

from cyano.formats import CameraEntry
from cyano.formats.mapping.known_cameras import displayed_camera
from cyano.geometry import Camera, RobustEstimate
from cyano.tracking.result import FrameResult

__all__ = ["FrameCamera", "pose_dict", "pose_of"]

FrameCamera: TypeAlias = Camera | CameraEntry
"""Of every frame: a pinhole camera, or COLMAP's model, parameters and pixels."""


def pose_of(seen: FrameResult, camera: FrameCamera) -> RobustEstimate | None:
    """The relative pose from the anchor to a frame, translation up to scale; None unless the frame is tracked.

        estimate = pose_of(tracker.push(frame), Camera(1400, 1400, 959.5, 539.5))

    Args:
        seen: the frame.
        camera: that took both.

    Raises:
        InputError: the camera is of pictures of another shape.
    """
    if seen.status != "tracked":
        return None
    if isinstance(camera, CameraEntry):
        lens = displayed_camera(camera, seen.result.image1.size, 1, seen.frame.name)
        return seen.result.relative_pose(lens, lens)
    return seen.result.relative_pose(camera, camera)


def pose_dict(estimate: RobustEstimate | None) -> dict[str, Any] | None:
    """A pose in plain values, as `frames.jsonl` has it: `T_anchor_to_frame` is null where the status is not "ok"."""
    if estimate is None:
        return None
    motion = [[float(value) for value in row] for row in estimate.T_0to1] if estimate.ok else None
    return {"status": estimate.status.value, "T_anchor_to_frame": motion, "inliers": estimate.num_inliers}
