"""Where training pairs come from: two views of a photograph, of a procedural scene, or of a real one with depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cyano.geometry.truth import HomographyTruth, PairTruth
from cyano.processing.resize import ResizeRule
from cyano.synthesis.homographies import View, WarpRange, random_view, warp_view
from cyano.synthesis.scenes import PosedPair, SceneOptions, sample_pair
from cyano.synthesis.scenes.posed_frames import FramePair, load_pair
from cyano.training.photographs import Photographs
from cyano.types import ImageSize

__all__ = ["ViewOptions", "ViewPair", "ViewSource", "two_views"]

_TEXTURES = 12
"""Photographs that a scene is made of."""


@dataclass(frozen=True)
class ViewOptions:
    """What two views of one thing look like.

    Attributes:
        height: of both images, a multiple of 8.
        width: likewise.
        scenes: share of the pairs that show a procedural scene.
        posed: share of the pairs that are posed images with depth, where some are given; all other pairs are two views
            of one photograph.
        difficulty: of the scenes, 0 to 1.
        scale: (least, most) photograph pixels per view pixel.
        rotation: degrees to either side.
        any_rotation: share of the views that turn by any angle.
        perspective: largest move of a view's corner as a share of its side.
        photometric: strength of blur, noise and light, 0 to 1.
    """

    height: int = 240
    width: int = 320
    scenes: float = 0.5
    posed: float = 0.0
    difficulty: float = 0.7
    scale: tuple[float, float] = (0.7, 1.8)
    rotation: float = 30.0
    any_rotation: float = 0.12
    perspective: float = 0.25
    photometric: float = 1.0

    @property
    def size(self) -> ImageSize:
        """Of a view."""
        return ImageSize(self.height, self.width)


@dataclass(frozen=True, eq=False)
class ViewPair:
    """Two views and the truth between them.

    Attributes:
        images: two, (H, W) float32 in [0, 1].
        truth: where points of one lie in the other.
        valid: for each image (H, W) bool, False beyond the photograph's edge, where it is mirrored.
    """

    images: tuple[NDArray[np.float32], NDArray[np.float32]]
    truth: PairTruth
    valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]


class ViewSource:
    """Pairs of views by some options; what is drawn depends on the generator alone."""

    def __init__(
        self, photographs: Photographs, options: ViewOptions, posed: Sequence[FramePair] = (), shift: float = 0.15
    ) -> None:
        """Nothing is read yet.

        Args:
            photographs: for views, and as textures.
            options: of the pairs.
            posed: images with depth and pose.
            shift: distance of a view's centre from the common one as a share of its side.
        """
        self.photographs = photographs
        self.options = options
        self.posed = posed
        self._limits = WarpRange(
            options.scale, options.rotation, options.any_rotation, options.perspective, shift=shift
        )

    def draw(self, rng: np.random.Generator) -> ViewPair:
        """A pair of any kind."""
        drawn = rng.random()
        if drawn < self.options.scenes:
            return self._of_scene(rng)
        if self.posed and drawn < self.options.scenes + self.options.posed:
            return self._of_posed(rng)
        return two_views(*self.photograph_views(rng)[1])

    def photograph_views(self, rng: np.random.Generator) -> tuple[int, tuple[View, View]]:
        """A photograph's number and two views of it."""
        number, photograph = self.photographs.draw(rng)
        source, size = ImageSize(*photograph.shape), self.options.size
        centre = rng.uniform((0.3, 0.3), (0.7, 0.7)) * (source.width, source.height)
        look0, look1 = (random_view(source, size, centre, rng, self._limits) for _ in range(2))
        return number, (warp_view(photograph, look0, size), warp_view(photograph, look1, size))

    def _of_posed(self, rng: np.random.Generator) -> ViewPair:
        """Two posed images with depth, in either order."""
        frames = self.posed[int(rng.integers(len(self.posed)))]
        if rng.random() < 0.5:
            frames = FramePair(frames.frame1, frames.frame0, frames.overlap)
        return _whole(load_pair(frames, ResizeRule.exact(self.options.height, self.options.width)))

    def _of_scene(self, rng: np.random.Generator) -> ViewPair:
        """Two cameras in one scene."""
        textures = [self.photographs.draw(rng)[1] for _ in range(_TEXTURES)]
        options = SceneOptions(size=self.options.size, difficulty=self.options.difficulty)
        return _whole(sample_pair(textures, rng, options))


def two_views(view0: View, view1: View) -> ViewPair:
    """Two views of one photograph as a pair."""
    H = view1.H @ np.linalg.inv(view0.H)
    truth = HomographyTruth(H / H[2, 2], ImageSize(*view0.image.shape), ImageSize(*view1.image.shape))
    return ViewPair((view0.image, view1.image), truth, (view0.valid, view1.valid))


def _whole(pair: PosedPair) -> ViewPair:
    """Nothing of it is mirrored."""
    valid = np.ones(pair.image0.shape, dtype=bool)
    return ViewPair((pair.image0, pair.image1), pair.truth, (valid, valid))
