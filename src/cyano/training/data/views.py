"""Where training pairs come from: views of a photograph, of a procedural scene, or of a real place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError
from cyano.geometry.truth import HomographyTruth, PairTruth
from cyano.models.superpoint import CELL
from cyano.pairs.checks import check_range
from cyano.processing.images import MIN_SIDE
from cyano.processing.resize import ResizeRule
from cyano.synthesis.adverse import adverse_change
from cyano.synthesis.homographies import View, WarpRange, random_view, warp_view
from cyano.synthesis.photometric import photometric_change
from cyano.synthesis.scenes import SceneOptions, sample_views
from cyano.synthesis.scenes.posed_frames import load_pair
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import NOTHING_REAL, RealViews
from cyano.types import ImageSize

__all__ = ["MAX_SCALE", "Origin", "ViewGroup", "ViewOptions", "ViewPair", "ViewSource", "check_picture", "two_views"]

MAX_SCALE = 100.0
_MAX_SIDE = 8192  # pixels

_TEXTURES = 12
"""Photographs that a scene is made of."""


def check_picture(height: int, width: int) -> None:
    """Raise `InputError` unless a detector can learn from pictures of this size in pixels."""
    if min(height, width) < MIN_SIDE or max(height, width) > _MAX_SIDE or height % CELL or width % CELL:
        raise InputError(
            f"height and width are multiples of {CELL} from {MIN_SIDE} to {_MAX_SIDE}, not {height} and {width}"
        )


@dataclass(frozen=True)
class ViewOptions:
    """What two views of one thing look like.

    Attributes:
        height: of both images, a multiple of 8.
        width: likewise.
        scenes: share of the pairs that show a procedural scene.
        posed: share of the pairs that are posed images with depth, where some are given.
        reconstructed: share of the pairs that are images of a reconstructed place, where some are given; all other
            pairs are two views of one photograph.
        difficulty: of the scenes, 0 to 1.
        max_angle: between the directions from which two views of a scene see one point, in degrees, at difficulty 1.
        max_distance: largest ratio of the distances from which they see it, at difficulty 1.
        overlap: (least, most) share of a scene's view that another one shows.
        plain: share of a scene's textures that are hardly any, as those of painted walls.
        scale: (least, most) photograph pixels per view pixel.
        rotation: degrees to either side.
        any_rotation: share of the views that turn by any angle.
        perspective: largest move of a view's corner as a share of its side.
        photometric: strength of blur, noise and light, 0 to 1; also how far the light of scenes changes.
        tilt: largest angle between a view's line of sight and the photograph's normal, in degrees.
        reach: largest side of a view, as a multiple of the photograph's; what lies beyond the photograph is not valid.
        adverse: share of the pairs or groups of which one view is seen at night, in rain, by another sensor, out of
            focus, from a moving hand, see `cyano.synthesis.adverse`.
    """

    height: int = 240
    width: int = 320
    scenes: float = 0.5
    posed: float = 0.0
    reconstructed: float = 0.3
    difficulty: float = 0.7
    max_angle: float = 50.0
    max_distance: float = 2.0
    overlap: tuple[float, float] = (0.15, 0.9)
    plain: float = 0.0
    scale: tuple[float, float] = (0.7, 1.8)
    rotation: float = 30.0
    any_rotation: float = 0.12
    perspective: float = 0.25
    photometric: float = 1.0
    tilt: float = 0.0
    reach: float = 1.1
    adverse: float = 0.0

    def __post_init__(self) -> None:
        check_picture(self.height, self.width)
        shares = ("scenes", "posed", "reconstructed", "plain", "adverse", "any_rotation")
        for name in (*shares, "difficulty", "perspective", "photometric"):
            check_range(name, getattr(self, name), 0, 1)
        for name, low, high in (("max_angle", 0, 180), ("tilt", 0, 89), ("max_distance", 1, 100), ("reach", 0.1, 100)):
            check_range(name, getattr(self, name), low, high)
        if not 0 <= self.overlap[0] < self.overlap[1] <= 1:
            raise InputError(f"overlap is (least, most), two different shares from 0 to 1, not {self.overlap}")
        check_range("rotation", self.rotation, 0, 180, " degrees")
        if not 0 < self.scale[0] <= self.scale[1] <= MAX_SCALE:
            raise InputError(f"scale is (least, most), above 0 and at most {MAX_SCALE:g}, not {self.scale}")

    @property
    def size(self) -> ImageSize:
        """Of a view."""
        return ImageSize(self.height, self.width)


@dataclass(frozen=True, eq=False)
class Origin:
    """The photograph that all views of a group show.

    Attributes:
        number: of the photograph.
        maps: for each view (3, 3) float64, from pixels of the photograph to those of the view.
    """

    number: int
    maps: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, eq=False)
class ViewPair:
    """Two views and the truth between them.

    Attributes:
        images: two, (H, W) float32 in [0, 1].
        truth: where points of one lie in the other.
        valid: for each image (H, W) bool, False beyond the photograph's edge, where it is mirrored.
        origin: the photograph, if they show one.
    """

    images: tuple[NDArray[np.float32], NDArray[np.float32]]
    truth: PairTruth
    valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    origin: Origin | None = None


@dataclass(frozen=True, eq=False)
class ViewGroup:
    """Several views of one thing, and the truth between every two.

    Attributes:
        images: (H, W) float32 in [0, 1] each.
        valid: likewise as of `ViewPair`.
        truths: by the numbers of two views, the lower one first.
        shown: names the photograph, the scene or the place; the same in every group of it.
        origin: the photograph, if they show one.
    """

    images: tuple[NDArray[np.float32], ...]
    valid: tuple[NDArray[np.bool_], ...]
    truths: Mapping[tuple[int, int], PairTruth]
    shown: str
    origin: Origin | None = None

    def pair(self, first: int, second: int) -> ViewPair:
        """Two of the views, by number."""
        images = self.images[first], self.images[second]
        origin = self.origin and Origin(self.origin.number, (self.origin.maps[first], self.origin.maps[second]))
        return ViewPair(images, self.truths[first, second], (self.valid[first], self.valid[second]), origin)


class ViewSource:
    """Pairs of views by some options; what is drawn depends on the generator alone."""

    def __init__(
        self, photographs: Photographs, options: ViewOptions, real: RealViews = NOTHING_REAL, shift: float = 0.15
    ) -> None:
        """Nothing is read yet.

        Args:
            photographs: for views, and as textures.
            options: of the pairs.
            real: what was really taken from several places.
            shift: distance of a view's centre from the common one as a share of its side.
        """
        self.photographs = photographs
        self.options = options
        self.real = real
        self._limits = WarpRange(
            options.scale,
            options.rotation,
            options.any_rotation,
            options.perspective,
            shift=shift,
            tilt=options.tilt,
            reach=options.reach,
        )

    def draw(self, rng: np.random.Generator) -> ViewPair:
        """A pair of any kind."""
        return self.draw_group(rng, 2).pair(0, 1)

    def draw_group(self, rng: np.random.Generator, count: int) -> ViewGroup:
        """So many views of any kind; of posed images always two, of a place as many as lie well for each other."""
        drawn, options = rng.random(), self.options
        kinds: list[tuple[float, Callable[[np.random.Generator, int], ViewGroup]]] = [
            (options.scenes, self._of_scene),
            (options.posed if self.real.posed else 0.0, self._of_posed),
            (options.reconstructed if self.real.places else 0.0, self._of_place),
        ]
        for share, draw in kinds:
            if drawn < share:
                return draw(rng, count)
            drawn -= share
        return self._of_photograph(rng, count)

    def _of_photograph(self, rng: np.random.Generator, count: int) -> ViewGroup:
        """Views of one photograph about one point of it."""
        number, photograph = self.photographs.draw(rng)
        source, size = ImageSize(*photograph.shape), self.options.size
        centre = rng.uniform((0.3, 0.3), (0.7, 0.7)) * (source.width, source.height)
        looks = [random_view(source, size, centre, rng, self._limits) for _ in range(count)]
        place = self.real.shown.get(self.photographs.paths[number].resolve())
        shown = f"photograph {number}" if place is None else f"place {place}"
        return _group([warp_view(photograph, look, size) for look in looks], shown, number)

    def in_other_light(
        self, images: Sequence[NDArray[np.float32]], rng: np.random.Generator
    ) -> list[NDArray[np.float32]]:
        """The views of one thing, (H, W) float32 in [0, 1] each, as different cameras would have seen them."""
        changed = [photometric_change(image, rng, self.options.photometric) for image in images]
        if self.options.adverse > 0 and rng.random() < self.options.adverse:
            which = int(rng.integers(len(changed)))
            changed[which] = adverse_change(changed[which], rng, self.photographs.draw(rng)[1])
        return changed

    def _of_posed(self, rng: np.random.Generator, _count: int) -> ViewGroup:
        """Two posed images with depth, in either order."""
        frames = self.real.posed[int(rng.integers(len(self.real.posed)))]
        if rng.random() < 0.5:
            frames = frames.swapped()
        pair = load_pair(frames, ResizeRule.exact(self.options.height, self.options.width))
        shown = f"place {self.real.shown[frames.frame0.image.resolve()]}"
        return _whole((pair.image0, pair.image1), {(0, 1): pair.truth}, shown)

    def _of_place(self, rng: np.random.Generator, count: int) -> ViewGroup:
        """Images of one place; all places have the same share."""
        place = self.real.places[int(rng.integers(len(self.real.places)))]
        views = place.views(place.draw(rng, count), self.options.size)
        shown = f"place {self.real.shown[place.paths[0].resolve()]}"
        return ViewGroup(views.images, views.valid, views.truths, shown)

    def _of_scene(self, rng: np.random.Generator, count: int) -> ViewGroup:
        """Cameras in one scene."""
        textures = [self.photographs.draw(rng)[1] for _ in range(_TEXTURES)]
        options = SceneOptions(
            size=self.options.size,
            difficulty=self.options.difficulty,
            max_angle_deg=self.options.max_angle,
            max_scale=self.options.max_distance,
            light_change=min(self.options.photometric, 1.0),
            overlap=self.options.overlap,
            plain_share=self.options.plain,
        )
        views = sample_views(textures, rng, options, count)
        truths = {(i, j): views[i].truth_with(views[j]) for i, j in combinations(range(count), 2)}
        shown = f"scene {hashlib.sha256(views[0].image.tobytes()).hexdigest()}"
        return _whole(tuple(view.image for view in views), truths, shown)


def two_views(view0: View, view1: View) -> ViewPair:
    """Two views of one photograph as a pair."""
    return _group((view0, view1)).pair(0, 1)


def _group(views: Sequence[View], shown: str = "", number: int | None = None) -> ViewGroup:
    """Views of one photograph, of that number."""
    truths = {(i, j): _between(views[i], views[j]) for i, j in combinations(range(len(views)), 2)}
    origin = None if number is None else Origin(number, tuple(view.H for view in views))
    return ViewGroup(tuple(view.image for view in views), tuple(view.valid for view in views), truths, shown, origin)


def _between(view0: View, view1: View) -> HomographyTruth:
    H = view1.H @ np.linalg.inv(view0.H)
    return HomographyTruth(H / H[2, 2], ImageSize(*view0.image.shape), ImageSize(*view1.image.shape))


def _whole(
    images: tuple[NDArray[np.float32], ...], truths: Mapping[tuple[int, int], PairTruth], shown: str
) -> ViewGroup:
    """Nothing of the images is mirrored."""
    return ViewGroup(images, tuple(np.ones(image.shape, dtype=bool) for image in images), truths, shown)
