"""Random scenes, and two cameras in them that see some of the same from different places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.geometry.transforms import invert_rigid
from cyano.geometry.truth import DepthTruth
from cyano.synthesis.scenes.atlas import build_atlas
from cyano.synthesis.scenes.geometry_pass import NOTHING, intersect
from cyano.synthesis.scenes.layouts import KINDS, SceneKind, lay_out
from cyano.synthesis.scenes.lighting import sample_lighting
from cyano.synthesis.scenes.posed import PosedPair, overlap
from cyano.synthesis.scenes.render import Scene, render
from cyano.synthesis.scenes.viewpoints import Viewpoint, sample_viewpoints
from cyano.types import ImageSize, ResizeMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cyano.synthesis.scenes.atlas import Atlas
    from cyano.synthesis.scenes.geometry_pass import Layers

__all__ = ["SceneOptions", "make_scene", "sample_camera", "sample_pair", "sample_pair_in"]

_SIZE = ImageSize(480, 640)
_TRIES_PER_SCENE = 12
_SCENES = 4
_COARSE_LONGEST = 80
_LARGEST_SURFACE = 0.7  # share of a view; homographies of single photographs teach planes well enough


@dataclass(frozen=True)
class SceneOptions:
    """What the generated pairs are like.

    Attributes:
        size: of both images.
        kinds: of scenes, equally often.
        difficulty: 0 for small motions, 1 for up to `max_angle_deg` and `max_scale`.
        max_angle_deg: largest change of the direction from which the point looked at is seen, at difficulty 1.
        max_scale: largest ratio of the distances to it, at difficulty 1.
        any_roll_share: share of the views that are rolled by any angle rather than within 15 degrees.
        light_change: 0 for equal light and exposure in both views, 1 for strong changes.
        overlap: the least and the most that either view may show of the other, see `overlap`.
        field_of_view_deg: narrowest and widest, along the longest side.
        textures: number of textures in a scene, 1 to 60.
        procedural_share: share of the textures that do not come from photographs.

    Raises:
        InputError: a value out of its range.
    """

    size: ImageSize = _SIZE
    kinds: tuple[SceneKind, ...] = KINDS
    difficulty: float = 0.5
    max_angle_deg: float = 50.0
    max_scale: float = 2.0
    any_roll_share: float = 0.1
    light_change: float = 0.5
    overlap: tuple[float, float] = (0.15, 0.9)
    field_of_view_deg: tuple[float, float] = (40.0, 90.0)
    textures: int = 16
    procedural_share: float = 0.25

    def __post_init__(self) -> None:
        for name in ("difficulty", "any_roll_share", "light_change", "procedural_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} lies between 0 and 1, not {getattr(self, name)}")
        if not self.kinds or not set(self.kinds) <= set(KINDS):
            raise InputError(f"kinds of scenes are {', '.join(KINDS)}, not {self.kinds}")
        if not 0 <= self.overlap[0] < self.overlap[1] <= 1:
            raise InputError(f"overlap is a range within 0 to 1, not {self.overlap}")
        if not 0 < self.field_of_view_deg[0] <= self.field_of_view_deg[1] < 180:
            raise InputError(f"fields of view are a range within 0 to 180 degrees, not {self.field_of_view_deg}")
        if not 0 <= self.max_angle_deg <= 180 or self.max_scale < 1:
            raise InputError(
                f"max_angle_deg lies between 0 and 180 and max_scale is at least 1, "
                f"not {self.max_angle_deg} and {self.max_scale}"
            )


_DEFAULTS = SceneOptions()


def make_scene(
    textures: Sequence[NDArray[np.generic]], rng: np.random.Generator, options: SceneOptions = _DEFAULTS
) -> Scene:
    """A random scene.

    Args:
        textures: grey photographs (H, W), uint8 or float in [0, 1]; there may be none. Any sequence will do, so
            also one that reads a file when it is indexed.
        rng: the source of randomness.
        options: see there.

    Raises:
        InputError: a texture of another kind.
    """
    return _arranged(build_atlas(textures, rng, options.textures, options.procedural_share), rng, options)


def _arranged(atlas: Atlas, rng: np.random.Generator, options: SceneOptions) -> Scene:
    kind = options.kinds[int(rng.integers(len(options.kinds)))]
    build, stage, distances = lay_out(kind, rng, atlas.count)
    sky = (float(rng.uniform(0.6, 0.95)), float(rng.uniform(0.35, 0.8)))
    interests = np.array(build.interests)
    return Scene(tuple(build.surfaces), atlas, stage, tuple(build.obstacles), interests, distances, sky)


def sample_pair(
    textures: Sequence[NDArray[np.generic]], rng: np.random.Generator, options: SceneOptions = _DEFAULTS
) -> PosedPair:
    """Two views of a new random scene; the same generator state gives the same pair.

    Arguments and errors are those of `make_scene`. Where no pair of cameras is within the wanted overlap after
    a few dozen tries, which is rare, the pair that is closest to it comes back.
    """
    scene = make_scene(textures, rng, options)
    best = sample_pair_in(scene, rng, options)
    for _ in range(_SCENES - 1):
        if best[0] == 0:
            break
        # The textures took the time: they serve again.
        other = sample_pair_in(_arranged(scene.atlas, rng, options), rng, options)
        best = min(best, other, key=lambda found: found[0])
    return best[1]


class _Candidate(NamedTuple):
    missed: float
    cameras: tuple[Camera, Camera]
    views: tuple[Viewpoint, Viewpoint]


def sample_pair_in(
    scene: Scene, rng: np.random.Generator, options: SceneOptions = _DEFAULTS
) -> tuple[float, PosedPair]:
    """Two views of a given scene, for those who want several pairs of each.

    Returns:
        By how much the overlap misses the wanted range (0: within it; 1 and more: a view shows hardly anything),
        and the pair.
    """
    best: _Candidate | None = None
    for _ in range(_TRIES_PER_SCENE):
        candidate = _candidate(scene, rng, options)
        if best is None or candidate.missed < best.missed:
            best = candidate
        if candidate.missed == 0:
            missed, pair = _rendered(scene, candidate, rng, options)
            if missed == 0:
                return 0.0, pair
            best = candidate._replace(missed=missed)
    if best is None:
        raise InputError("a pair takes at least one try")
    missed, pair = _rendered(scene, best, rng, options)
    return max(missed, best.missed), pair


def _candidate(scene: Scene, rng: np.random.Generator, options: SceneOptions) -> _Candidate:
    """Two cameras, judged by small depth maps."""
    cameras = sample_camera(rng, options), sample_camera(rng, options)
    coarse = _coarse(cameras[0]), _coarse(cameras[1])
    views = sample_viewpoints(scene, rng, options)
    layers = [intersect(scene.surfaces, camera, view) for camera, view in zip(coarse, views, strict=True)]
    missed = float(sum(_is_poor(layer, scene) for layer in layers))
    if missed == 0:
        missed = _missed(_truth([layer.depth() for layer in layers], coarse, views), options.overlap)
    return _Candidate(missed, cameras, views)


def _rendered(
    scene: Scene, candidate: _Candidate, rng: np.random.Generator, options: SceneOptions
) -> tuple[float, PosedPair]:
    lights = sample_lighting(scene.stage, rng, options.light_change)
    (image0, depth0), (image1, depth1) = (
        render(scene, camera, view, light)
        for camera, view, light in zip(candidate.cameras, candidate.views, lights, strict=True)
    )
    truth = _truth([depth0, depth1], candidate.cameras, candidate.views)
    return _missed(truth, options.overlap), PosedPair(image0, image1, truth)


def _truth(
    depths: list[NDArray[np.float32]], cameras: tuple[Camera, Camera], views: tuple[Viewpoint, Viewpoint]
) -> DepthTruth:
    return DepthTruth(depths[0], depths[1], cameras[0], cameras[1], views[1] @ invert_rigid(views[0]))


def _missed(truth: DepthTruth, wanted: tuple[float, float]) -> float:
    low, high = wanted
    return max(max(low - share, share - high, 0.0) for share in overlap(truth))


def _is_poor(layers: Layers, scene: Scene) -> bool:
    """Whether there is little to learn from a view.

    It is mostly sky, mostly one surface, or a part of it is a blur from too near.
    """
    known = layers.surface != NOTHING
    counts = np.bincount(layers.surface[known], minlength=1)
    if counts.sum() < 0.5 * known.size or counts.max() > _LARGEST_SURFACE * known.size:
        return True
    near = float(np.quantile(layers.inverse_depth[known], 0.9))
    return near > 2 / scene.distances[0]


def sample_camera(rng: np.random.Generator, options: SceneOptions) -> Camera:
    """Half of the cameras have the principal point in the middle, the others up to 3 % of the size beside it."""
    angle = rng.uniform(*options.field_of_view_deg)
    centred = Camera.from_field_of_view(angle, options.size)
    shift = rng.uniform(-0.03, 0.03, 2) * (rng.random() < 0.5)
    cx, cy = centred.cx + shift[0] * options.size.width, centred.cy + shift[1] * options.size.height
    return Camera(centred.fx, centred.fy, float(cx), float(cy), options.size)


def _coarse(camera: Camera) -> Camera:
    size = camera.size or ImageSize(1, 1)
    scale = min(1.0, _COARSE_LONGEST / size.longest)
    small = ImageSize(max(2, math.ceil(size.height * scale)), max(2, math.ceil(size.width * scale)))
    return camera.scaled(ResizeMap(size, small))
