"""Geometry in float64 numpy: cameras and lenses, homographies, epipolar matrices, poses, robust estimation."""

from __future__ import annotations

from cyano.geometry.camera import Camera
from cyano.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    larger_epipolar_distance,
    sampson_distance,
    symmetric_epipolar_distance_squared,
)
from cyano.geometry.estimates import EstimateStatus, Estimator, RobustEstimate, RobustOptions
from cyano.geometry.homography import (
    corner_error,
    homography_dlt,
    image_corners,
    invert_homography,
    symmetric_transfer_error,
)
from cyano.geometry.lens import LENS_MODELS, LensCamera
from cyano.geometry.pose import PoseError, in_front_of_both, pose_error
from cyano.geometry.registration import warp_image
from cyano.geometry.robust import (
    estimate_essential,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
)
from cyano.geometry.transforms import (
    angle_between,
    from_homogeneous,
    invert_rigid,
    quarter_turn_motion,
    rigid_motion,
    rotation_angle_between,
    to_homogeneous,
    warp_points,
)

__all__ = [
    "LENS_MODELS",
    "Camera",
    "EstimateStatus",
    "Estimator",
    "LensCamera",
    "PoseError",
    "RobustEstimate",
    "RobustOptions",
    "angle_between",
    "corner_error",
    "essential_from_pose",
    "estimate_essential",
    "estimate_fundamental",
    "estimate_homography",
    "estimate_relative_pose",
    "from_homogeneous",
    "fundamental_from_essential",
    "homography_dlt",
    "image_corners",
    "in_front_of_both",
    "invert_homography",
    "invert_rigid",
    "larger_epipolar_distance",
    "pose_error",
    "quarter_turn_motion",
    "rigid_motion",
    "rotation_angle_between",
    "sampson_distance",
    "symmetric_epipolar_distance_squared",
    "symmetric_transfer_error",
    "to_homogeneous",
    "warp_image",
    "warp_points",
]
