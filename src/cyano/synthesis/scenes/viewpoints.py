"""Where two cameras stand and what they look at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from cyano.geometry.transforms import invert_rigid, rigid_motion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.synthesis.scenes.render import Scene

__all__ = ["Motion", "Viewpoint", "look_at", "sample_another", "sample_viewpoints"]

Viewpoint: TypeAlias = "NDArray[np.float64]"
"""T_world_to_camera, (4, 4), metres."""

_MARGIN = 0.2
"""Metres (at rooms' scale) that a camera keeps from solids."""

_TRIES = 40


class Motion(Protocol):
    """How far apart the two views may be; see `SceneOptions`."""

    @property
    def difficulty(self) -> float: ...  # noqa: D102
    @property
    def max_angle_deg(self) -> float: ...  # noqa: D102
    @property
    def max_scale(self) -> float: ...  # noqa: D102
    @property
    def any_roll_share(self) -> float: ...  # noqa: D102


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64], roll: float) -> Viewpoint:
    """T_world_to_camera of a camera at `eye` (3,) that looks at `target` (3,), rolled by an angle in radians.

    Without roll the world's z axis points up in the picture.
    """
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    length = float(np.linalg.norm(right))
    right = right / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])
    down = np.cross(forward, right)
    cosine, sine = math.cos(roll), math.sin(roll)
    R = np.stack([cosine * right + sine * down, cosine * down - sine * right, forward])
    return rigid_motion(R, -R @ eye)


def sample_viewpoints(scene: Scene, rng: np.random.Generator, motion: Motion) -> tuple[Viewpoint, Viewpoint]:
    """Two cameras on the scene's stage: the second is the first, moved around what it looks at.

    The angle is uniform up to its largest, the logarithm of the scale too; the largest values grow with the
    difficulty. Both cameras are outside of all solids, though what they look at may be hidden from them.
    """
    for _ in range(_TRIES):
        target = scene.interests[int(rng.integers(len(scene.interests)))]
        eye0 = _first_eye(scene, target, rng)
        eye1 = _moved(eye0, target, rng, motion)
        if _is_free(scene, eye0) and _is_free(scene, eye1):
            break
    else:
        eye0, eye1 = _side_by_side(scene, target, rng)
    views = [_aimed(eye, target, rng, motion) for eye in (eye0, eye1)]
    return views[0], views[1]


def sample_another(
    scene: Scene, rng: np.random.Generator, motion: Motion, first: Viewpoint, distance: float
) -> Viewpoint:
    """A further camera: the first one, moved around what lies so many metres before it; outside of all solids.

    Where there is no room for it, it looks from where the first one does.
    """
    T_camera_to_world = invert_rigid(first)
    eye0, forward = T_camera_to_world[:3, 3], T_camera_to_world[:3, 2]
    target = eye0 + distance * forward
    tries = (_moved(eye0, target, rng, motion) for _ in range(_TRIES))
    eye = next((place for place in tries if _is_free(scene, place)), eye0)
    return _aimed(eye, target, rng, motion)


def _moved(
    eye: NDArray[np.float64], target: NDArray[np.float64], rng: np.random.Generator, motion: Motion
) -> NDArray[np.float64]:
    """(3,) another place around a target, nearer or farther."""
    largest = math.radians(motion.max_angle_deg) * (0.25 + 0.75 * motion.difficulty)
    most = math.log(motion.max_scale) * (0.15 + 0.85 * motion.difficulty)
    angle, scale = rng.uniform(0.1, 1.0) * largest, math.exp(rng.uniform(-1, 1) * most)
    place: NDArray[np.float64] = target + scale * _rotated(eye - target, _axis(rng), angle)
    return place


def _first_eye(scene: Scene, target: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A place on the stage, drawn in or out along the line to the target until its distance is as wanted."""
    nearest, farthest = scene.distances
    place = rng.uniform(scene.stage.low, scene.stage.high)
    distance = float(np.linalg.norm(place - target)) or 1.0
    wanted = min(max(distance, nearest), farthest) if rng.random() < 0.7 else rng.uniform(nearest, farthest)
    eye: NDArray[np.float64] = target + (place - target) * (wanted / distance)
    return eye


def _axis(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) unit vector, usually near the vertical: people walk more than they climb."""
    axis = rng.normal(size=3) * (0.35, 0.35, 0.35) + (0.0, 0.0, rng.choice((-1.0, 1.0)))
    return np.asarray(axis / np.linalg.norm(axis), dtype=np.float64)


def _rotated(vector: NDArray[np.float64], axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Rodrigues' rotation of a (3,) vector about a unit axis."""
    along = axis * (axis @ vector)
    turned = np.cross(axis, vector)
    out: NDArray[np.float64] = along + math.cos(angle) * (vector - along) + math.sin(angle) * turned
    return out


def _is_free(scene: Scene, eye: NDArray[np.float64]) -> bool:
    margin = _MARGIN * scene.distances[0]
    return scene.stage.contains(eye) and not any(box.contains(eye, margin) for box in scene.obstacles)


def _side_by_side(
    scene: Scene, target: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two free places on a crowded stage: any one, and one so near that it is free as well."""
    eye = _free_place(scene, rng)
    step = 0.1 * float(np.linalg.norm(target - eye)) * rng.normal(size=3)
    nearby = (eye + step * 0.5**halvings for halvings in range(8))
    return eye, next((place for place in nearby if _is_free(scene, place)), eye)


def _free_place(scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    place = rng.uniform(scene.stage.low, scene.stage.high)
    for _ in range(200):
        if _is_free(scene, place):
            break
        place = rng.uniform(scene.stage.low, scene.stage.high)
    return place


def _aimed(
    eye: NDArray[np.float64], target: NDArray[np.float64], rng: np.random.Generator, motion: Motion
) -> Viewpoint:
    """Towards the target, but seldom right at it; rolled by up to 15 degrees, a share of the views by any angle."""
    eased = 0.3 + 0.7 * motion.difficulty
    aside = rng.normal(size=3) * 0.15 * eased * float(np.linalg.norm(target - eye))
    any_roll = rng.random() < motion.any_roll_share
    roll = rng.uniform(-math.pi, math.pi) if any_roll else math.radians(rng.uniform(-15, 15) * eased)
    return look_at(eye, target + aside, roll)
