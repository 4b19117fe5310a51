"""Random scenes, and two cameras in them that see some of the same from different places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cyano.errors import InputError
from cyano.geometry.camera import Camera
from cyano.synthesis.scenes.atlas import build_atlas
from cyano.synthesis.scenes.geometry_pass import NOTHING, intersect
from cyano.synthesis.scenes.layouts import KINDS, SceneKind, lay_out
from cyano.synthesis.scenes.lighting import Lighting, sample_another_light, sample_lighting
from cyano.synthesis.scenes.posed import PosedPair, PosedView, overlap
from cyano.synthesis.scenes.render import Scene, render
from cyano.synthesis.scenes.viewpoints import Viewpoint, sample_another, sample_viewpoints
from cyano.types import ImageSize, ResizeMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cyano.geometry.truth import DepthTruth
    from cyano.synthesis.scenes.atlas import Atlas
    from cyano.synthesis.scenes.geometry_pass import Layers

__all__ = ["SceneOptions", "make_scene", "sample_camera", "sample_pair", "sample_views"]

_SIZE = ImageSize(480, 640)
_TRIES_PER_SCENE = 12
_SCENES = 4
_COARSE_LONGEST = 80
_NO_PICTURE = np.zeros((0, 0), np.float32)
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
        plain_share: share of the textures that are hardly any, as those of painted walls.

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
    plain_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("difficulty", "any_roll_share", "light_change", "procedural_share", "plain_share"):
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
    atlas = build_atlas(textures, rng, options.textures, options.procedural_share, options.plain_share)
    return _arranged(atlas, rng, options)


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
    first, second = sample_views(textures, rng, options)
    return PosedPair(first.image, second.image, first.truth_with(second))


def sample_views(
    textures: Sequence[NDArray[np.generic]],
    rng: np.random.Generator,
    options: SceneOptions = _DEFAULTS,
    count: int = 2,
) -> list[PosedView]:
    """Several views of a new random scene, the first two as `sample_pair` has them.

    Each further one shares with the first what two views of a pair share; with the others it may share anything,
    and nothing. It costs less than half of a pair.

    Args:
        textures: see `make_scene`.
        rng: likewise.
        options: likewise.
        count: at least 2.

    Raises:
        InputError: see `make_scene`.
    """
    scene = make_scene(textures, rng, options)
    found = _two_views(scene, rng, options)
    for _ in range(_SCENES - 1):
        if found.missed == 0:
            break
        # The textures took the time: they serve again.
        other = _two_views(_arranged(scene.atlas, rng, options), rng, options)
        found = min(found, other, key=lambda each: each.missed)
    return [*found.views, *(_another_view(found, rng, options) for _ in range(count - 2))]


class _Candidate(NamedTuple):
    missed: float
    cameras: tuple[Camera, Camera]
    viewpoints: tuple[Viewpoint, Viewpoint]


class _Found(NamedTuple):
    """Two views of a scene, by how much their overlap misses the wanted range, and the light of the first."""

    missed: float
    scene: Scene
    views: tuple[PosedView, PosedView]
    light: Lighting


def _two_views(scene: Scene, rng: np.random.Generator, options: SceneOptions) -> _Found:
    """The first two views within the wanted overlap, or else those closest to it."""
    best = _candidate(scene, rng, options)
    for _ in range(_TRIES_PER_SCENE - 1):
        if best.missed == 0:
            found = _rendered(scene, best, rng, options)
            if found.missed == 0:
                return found
            best = best._replace(missed=found.missed)
        best = min(best, _candidate(scene, rng, options), key=lambda each: each.missed)
    found = _rendered(scene, best, rng, options)
    return found._replace(missed=max(found.missed, best.missed))


def _candidate(scene: Scene, rng: np.random.Generator, options: SceneOptions) -> _Candidate:
    """Two cameras, judged by small depth maps."""
    cameras = sample_camera(rng, options), sample_camera(rng, options)
    viewpoints = sample_viewpoints(scene, rng, options)
    looks = [_look(scene, *each) for each in zip(cameras, viewpoints, strict=True)]
    missed = float(sum(look is None for look in looks))
    if looks[0] is not None and looks[1] is not None:
        missed = _missed(looks[0].truth_with(looks[1]), options.overlap)
    return _Candidate(missed, cameras, viewpoints)


def _look(scene: Scene, camera: Camera, viewpoint: Viewpoint) -> PosedView | None:
    """A small view without a picture; None if there is little to learn from it."""
    coarse = _coarse(camera)
    layers = intersect(scene.surfaces, coarse, viewpoint)
    if _is_poor(layers, scene):
        return None
    return PosedView(_NO_PICTURE, layers.depth(), coarse, viewpoint)


def _rendered(scene: Scene, candidate: _Candidate, rng: np.random.Generator, options: SceneOptions) -> _Found:
    lights = sample_lighting(scene.stage, rng, options.light_change)
    first, second = (_view(scene, *each) for each in zip(candidate.cameras, candidate.viewpoints, lights, strict=True))
    return _Found(_missed(first.truth_with(second), options.overlap), scene, (first, second), lights[0])


def _view(scene: Scene, camera: Camera, viewpoint: Viewpoint, light: Lighting) -> PosedView:
    return PosedView(*render(scene, camera, viewpoint, light), camera, viewpoint)


def _another_view(found: _Found, rng: np.random.Generator, options: SceneOptions) -> PosedView:
    """One more view that shares enough with the first of two, or comes closest to that."""
    scene, first = found.scene, found.views[0]
    known = first.depth[first.depth > 0]
    distance = float(np.median(known)) if len(known) else scene.distances[1]
    best: tuple[float, Camera, Viewpoint] | None = None
    for _ in range(_TRIES_PER_SCENE):
        camera = sample_camera(rng, options)
        viewpoint = sample_another(scene, rng, options, first.T_world_to_camera, distance)
        look = _look(scene, camera, viewpoint)
        missed = 1.0 if look is None else _missed(first.truth_with(look), options.overlap)
        if best is None or missed < best[0]:
            best = missed, camera, viewpoint
        if missed == 0:
            break
    if best is None:
        raise InputError("a view takes at least one try")
    light = sample_another_light(found.light, scene.stage, rng, options.light_change)
    return _view(scene, best[1], best[2], light)


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
