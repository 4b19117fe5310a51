"""What to ask of a robust estimation and what comes back: plain values, and how they are shown."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cyano.concise import facts_html
from cyano.errors import InputError
from cyano.geometry.transforms import angle_between, rotation_angle_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_MATCHES", "EstimateStatus", "Estimator", "Kind", "RobustEstimate", "RobustOptions", "matrix_text"]

Kind = Literal["homography", "fundamental", "essential", "pose"]
Estimator = Literal["poselib", "opencv"]

# Seven matches leave up to three fundamental matrices, so eight are asked for. Five leave up to ten essential
# ones, yet the evaluations in the literature estimate from five on.
MIN_MATCHES = {"homography": 4, "fundamental": 8, "essential": 5, "pose": 5}
_DEFAULT_THRESHOLD_PX = {"homography": 3.0, "fundamental": 1.0, "essential": 1.0, "pose": 1.0}
_NAMES = {
    "homography": "homography",
    "fundamental": "fundamental matrix",
    "essential": "essential matrix",
    "pose": "relative pose",
}
_LARGEST_INT = 2**31 - 1  # both libraries count in 32-bit integers


@dataclass(frozen=True)
class RobustOptions:
    """How to estimate; one meaning for both estimators and all models.

    Attributes:
        estimator: "poselib" (LO-RANSAC with non-linear refinement) or "opencv" (MAGSAC++).
        threshold_px: largest error of an inlier in pixels of the ORIGINAL images, as defined in
            `cyano.geometry.robust`; None is 3.0 for a homography and 1.0 for the epipolar models. For the
            calibrated models it is divided by the mean focal length where the estimator works on normalised
            points.
        confidence: probability, below 1, that a sample without outliers was drawn before sampling stops.
        max_iterations: number of samples at most.
        seed: of the sampling; the same seed and matches give the same result. 0 is a seed.

    Raises:
        InputError: an option out of its range; the message says which.

    Example:
        >>> options = cyano.RobustOptions(estimator="opencv", threshold_px=2.0, seed=1)
        >>> options.threshold_for("homography"), cyano.RobustOptions().threshold_for("homography")
        (2.0, 3.0)
    """

    estimator: Estimator = "poselib"
    threshold_px: float | None = None
    confidence: float = 0.99999
    max_iterations: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.estimator not in get_args(Estimator):
            raise InputError(f"unknown estimator {self.estimator!r}: choose one of {', '.join(get_args(Estimator))}")
        for name, value in (
            ("threshold_px", 1 if self.threshold_px is None else self.threshold_px),
            ("confidence", self.confidence),
        ):
            if not isinstance(value, Real):
                raise InputError(f"{name} must be a number, not {value!r}")
        if self.threshold_px is not None and not 0 < self.threshold_px < math.inf:
            raise InputError(f"threshold_px must be a positive number of pixels, not {self.threshold_px}")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence must lie between 0 and 1, both excluded, not {self.confidence}")
        for name, value, least in (("max_iterations", self.max_iterations, 1), ("seed", self.seed, 0)):
            if not isinstance(value, Integral) or not least <= value <= _LARGEST_INT:
                raise InputError(f"{name} must be an integer from {least} to {_LARGEST_INT}, not {value}")

    def threshold_for(self, kind: Kind) -> float:
        """The threshold in force for a model of this kind, in pixels."""
        return _DEFAULT_THRESHOLD_PX[kind] if self.threshold_px is None else self.threshold_px


class EstimateStatus(enum.Enum):
    """What became of an estimation.

    Example:
        >>> cyano.geometry.estimate_homography(np.zeros((2, 2)), np.zeros((2, 2))).status.value
        'too few matches'
    """

    OK = "ok"
    DOUBTFUL = "doubtful"
    TOO_FEW_MATCHES = "too few matches"
    DEGENERATE = "degenerate"
    NO_MODEL = "no model"


_MATRIX_NAMES = {"homography": "H", "fundamental": "F", "essential": "E"}


@dataclass(frozen=True, eq=False, repr=False)
class RobustEstimate:
    """The outcome of any `estimate_...` function, successful or not.

    Attributes:
        kind: what was estimated.
        status: OK, DOUBTFUL where chance would give a model with as many inliers, or why there is no model.
        matrix: (3, 3) float64: H (0 -> 1, H[2, 2] = 1), F (unit norm) or E (singular values 1, 1, 0; also for
            a pose); NaN without a model.
        T_0to1: (4, 4) float64 motion from camera 0 to camera 1 with a translation of length 1; NaN without a model
            and unless kind is "pose".
        inliers: (K,) bool, which of the K given matches obey the model; none without one.
        options: what was asked for.

    Example:
        >>> points = np.random.default_rng(0).uniform(0, 640, (50, 2))
        >>> found = cyano.geometry.estimate_homography(points, points + [20, 10])
        >>> found.ok, found.num_inliers, found.facts()[0][0]
        (True, 50, 'H')
    """

    kind: Kind
    status: EstimateStatus
    matrix: NDArray[np.float64]
    T_0to1: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    options: RobustOptions

    @property
    def ok(self) -> bool:
        """Whether there is a model that more matches obey than chance gives."""
        return self.status is EstimateStatus.OK

    @property
    def has_model(self) -> bool:
        """Whether there is a model, be it a doubtful one."""
        return self.status in (EstimateStatus.OK, EstimateStatus.DOUBTFUL)

    def __repr__(self) -> str:
        return f"RobustEstimate({self.message})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return facts_html(self.message, self.facts())

    def facts(self) -> list[tuple[str, str]]:
        """The model as names and texts with rounded numbers: H, F or E, or a pose's R, t and their angles.

        Empty unless ok.
        """
        if not self.ok:
            return []
        if self.kind == "pose":
            return _pose_facts(self.T_0to1)
        return [(_MATRIX_NAMES[self.kind], matrix_text(self.matrix))]

    @property
    def num_inliers(self) -> int:
        """How many matches obey the model."""
        return int(self.inliers.sum())

    @property
    def threshold_px(self) -> float:
        """The inlier threshold that was in force, in pixels."""
        return self.options.threshold_for(self.kind)

    @property
    def message(self) -> str:
        """One line for the user."""
        name, count = _NAMES[self.kind], len(self.inliers)
        match self.status:
            case EstimateStatus.OK:
                return f"{name}: {self.num_inliers} inliers of {count} matches (threshold {self.threshold_px:g} px)"
            case EstimateStatus.DOUBTFUL:
                obey = f"{self.num_inliers} inliers of {count} matches (threshold {self.threshold_px:g} px)"
                return f"{name} doubtful: {obey}, no more than chance gives"
            case EstimateStatus.TOO_FEW_MATCHES:
                return f"no {name}: {count} matches, at least {MIN_MATCHES[self.kind]} are needed"
            case EstimateStatus.DEGENERATE:
                return f"no {name}: degenerate, the matches lie on one line"
            case EstimateStatus.NO_MODEL:
                return f"no {name}: too few inliers among {count} matches (threshold {self.threshold_px:g} px)"


_SIDES = (("right of", "left of"), ("below", "above"), ("in front of", "behind"))
"""Where camera 1 is, seen from camera 0, for a positive and a negative x, y and z."""


def matrix_text(matrix: NDArray[np.float64]) -> str:
    """A matrix (R, C) with six significant digits, a row a line, or a vector (C,) in one line."""
    rows = [[f"{value + 0.0:.6g}" for value in row] for row in np.atleast_2d(matrix)]  # + 0.0: no -0
    width = max(len(text) for row in rows for text in row)
    return "\n".join("[" + "  ".join(text.rjust(width) for text in row) + "]" for row in rows)


def _pose_facts(T_0to1: NDArray[np.float64]) -> list[tuple[str, str]]:
    """Names and texts: R, t, the angle of the rotation in degrees, and the direction of the translation.

    Args:
        T_0to1: (4, 4) motion from camera 0 to camera 1.
    """
    R, t = T_0to1[:3, :3], T_0to1[:3, 3]
    centre = -R.T @ t  # of camera 1 in the frame of camera 0
    axis = int(np.abs(centre).argmax())
    along = np.copysign(np.eye(3)[axis], centre[axis])
    side = _SIDES[axis][int(centre[axis] < 0)]
    off = math.degrees(angle_between(centre, along))
    return [
        ("R", matrix_text(np.round(R, 6))),
        ("t", f"{matrix_text(np.round(t, 6))}, of length 1: the scale is unknown"),
        ("rotation", f"{math.degrees(rotation_angle_between(np.eye(3), R)):.2f} degrees"),
        ("translation", f"camera 1 is {side} camera 0, {off:.1f} degrees off that axis"),
    ]
