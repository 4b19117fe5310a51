"""What matching two images gives: correspondences, and what follows from them in one call each."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cyano import geometry, viz
from cyano.concise import facts_html
from cyano.correspondences import Correspondences
from cyano.errors import InputError
from cyano.image_keypoints import AnyCamera, ImageKeypoints, calibrated
from cyano.types import Matches
from cyano.viz.encoding import image_bytes
from cyano.viz.sizes import NOTEBOOK_SIDE, PICTURE_SIDE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ImageKeypoints", "PairResult"]

DEFAULT_OPTIONS = geometry.RobustOptions()
DEFAULT_STYLE = viz.MatchStyle()


@dataclass(frozen=True, eq=False, repr=False)
class PairResult(Correspondences):
    """The correspondences between two images.

    `keypoints0[k]` and `keypoints1[k]` show the same point of the scene with probability `scores[k]`.

    Attributes:
        image0: all keypoints of image 0.
        image1: all keypoints of image 1, the matched ones where they look like their partners; see
            `MatcherOptions.align`.
        matches: the assignment, from both sides.
        doubtful: others, less probable than a match has to be, for geometry to verify; None for none. See `verified`.

    Example:
        >>> result = cyano.match("a.jpg", "b.jpg", device="cpu")
        >>> result.save_npz("matches.npz")
        >>> result.save_json("matches.json")
        >>> homography = result.homography()
        >>> if homography.ok:
        ...     picture, covered = result.registered()  # image 1 in the frame of image 0
        >>> figure, pixels = result.draw(), result.draw_image(inliers=homography.inliers)
        >>> result.fundamental().kind, len(result.to_dict()["scores"]) == len(result), result.npz_bytes()[:2]
        ('fundamental', True, b'PK')
    """

    image0: ImageKeypoints
    image1: ImageKeypoints
    doubtful: Matches | None = None

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows where it cannot show HTML; nothing for matches of features, which have no pixels."""
        return None if self._without_pixels() else image_bytes(self.draw_image(longest_side=NOTEBOOK_SIDE))

    def _repr_html_(self) -> str:
        """What a notebook shows: a table, and the picture if the images are at hand."""
        names = [f"{image.name}, {image.size.width} x {image.size.height}" for image in (self.image0, self.image1)]
        facts = [("image 0", names[0]), ("image 1", names[1])]
        if len(self):
            facts.append(("median score", f"{float(np.median(self.scores)):.2f}"))
        table = facts_html(repr(self), facts)
        if self._without_pixels():
            return table
        picture = base64.b64encode(image_bytes(self.draw_image(longest_side=NOTEBOOK_SIDE), "jpg")).decode()
        return f'{table}<img alt="matches" src="data:image/jpeg;base64,{picture}">'

    def _without_pixels(self) -> bool:
        return self.image0.rgb is None or self.image1.rgb is None

    @property
    def is_doubtful(self) -> NDArray[np.bool_]:
        """(K,) bool, which of the matches are doubtful ones: none, but in what `verified` shows to its models."""
        rows = self.indices[:, 0]
        if self.doubtful is None:
            return np.zeros(len(rows), dtype=np.bool_)
        return np.asarray(self.doubtful.matches0[rows] >= 0)

    def verified(
        self, *models: Callable[[PairResult], geometry.RobustEstimate]
    ) -> tuple[PairResult, tuple[geometry.RobustEstimate, ...]]:
        """Estimate models with the doubtful matches at hand, and add those of them that agree with one.

        In a model they have a say only where the others are too few, see `cyano.geometry.robust.FEW`. Those that agree
        with a model of chance are not verified.

        Args:
            models: each gives an estimate of a result, for example `PairResult.homography`, or
                `lambda pair: pair.relative_pose(camera0, camera1)`.

        Returns:
            The result with the matches that were verified beside those that it had, and the estimates, whose inliers
            are of these matches.

        Example:
            >>> result = cyano.match("a.jpg", "b.jpg", device="cpu")
            >>> more, (homography,) = result.verified(cyano.PairResult.homography)
            >>> len(more) >= len(result), len(homography.inliers) == len(more)
            (True, True)
        """
        whole = self
        if self.doubtful is not None:
            whole = replace(self, matches=self.matches.joined(self.doubtful))
        estimates = [model(whole) for model in models]
        kept = ~whole.is_doubtful
        for estimate in estimates:
            if estimate.ok:
                kept |= estimate.inliers
        matches = whole.matches.without(whole.indices[~kept, 0])
        found = replace(whole, matches=matches, doubtful=None)
        return found, tuple(replace(estimate, inliers=estimate.inliers[kept]) for estimate in estimates)

    def homography(self, options: geometry.RobustOptions = DEFAULT_OPTIONS) -> geometry.RobustEstimate:
        """The homography that maps pixels of image 0 to image 1; see `cyano.geometry.estimate_homography`."""
        return geometry.estimate_homography(self.keypoints0, self.keypoints1, options, self.is_doubtful)

    def fundamental(self, options: geometry.RobustOptions = DEFAULT_OPTIONS) -> geometry.RobustEstimate:
        """The fundamental matrix; see `cyano.geometry.estimate_fundamental`."""
        return geometry.estimate_fundamental(self.keypoints0, self.keypoints1, options, self.is_doubtful)

    def essential(
        self,
        camera0: AnyCamera,
        camera1: AnyCamera,
        options: geometry.RobustOptions = DEFAULT_OPTIONS,
    ) -> geometry.RobustEstimate:
        """The essential matrix; cameras as for `relative_pose`.

        Raises:
            InputError: a camera is of a picture of another shape than its image.

        Example:
            >>> camera = cyano.Camera.from_field_of_view(60.0, ImageSize(480, 640))
            >>> cyano.match("scene/view0.png", "scene/view1.png").essential(camera, camera).kind
            'essential'
        """
        sides = self.image0.side(self.keypoints0, camera0), self.image1.side(self.keypoints1, camera1)
        return calibrated(geometry.estimate_essential, sides, options, self.is_doubtful)

    def relative_pose(
        self,
        camera0: AnyCamera | None = None,
        camera1: AnyCamera | None = None,
        options: geometry.RobustOptions = DEFAULT_OPTIONS,
    ) -> geometry.RobustEstimate:
        """The motion from camera 0 to camera 1, translation up to scale.

        Args:
            camera0: intrinsics in pixels of the original image 0 as it is displayed, for any size of it; the distortion
                of a `LensCamera` is taken out of the points. None takes its EXIF focal length.
            camera1: likewise for image 1.
            options: estimator, threshold in pixels, seed.

        Raises:
            InputError: a camera is not given and the image has no EXIF focal length, or it is of a picture of another
                shape than the image.

        Example:
            >>> from cyano.geometry import LensCamera
            >>> lens = LensCamera("SIMPLE_RADIAL", ImageSize(360, 480), (400.0, 239.5, 179.5, -0.01))
            >>> pose = cyano.match("scene/view0.png", "scene/view1.png").relative_pose(lens, lens)
            >>> pose.ok, pose.T_0to1.shape
            (True, (4, 4))
        """
        sides = self.image0.side(self.keypoints0, camera0), self.image1.side(self.keypoints1, camera1)
        return calibrated(geometry.estimate_relative_pose, sides, options, self.is_doubtful)

    def registered(
        self, options: geometry.RobustOptions = DEFAULT_OPTIONS
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Image 1 brought into the frame of image 0 by the homography between them.

        Returns:
            (H, W, 3) uint8 of image 0's size, and the (H, W) bool mask of pixels that image 1 covers.

        Raises:
            InputError: the matches give no homography, or image 1 is not at hand.
        """
        estimate = self.homography(options)
        if not estimate.ok:
            raise InputError(f"the images cannot be registered: {estimate.message}")
        return geometry.warp_image(_pixels(self.image1), estimate.matrix, self.image0.size)

    def draw(
        self,
        *,
        inliers: NDArray[np.bool_] | None = None,
        errors: NDArray[np.floating[Any]] | None = None,
        style: viz.MatchStyle = DEFAULT_STYLE,
    ) -> Figure:
        """Both images with their matches, coloured by score (or by inliers or errors, if given).

        At most `style.max_lines` are drawn, spread over image 0. A notebook shows the figure by itself.

        Args:
            inliers: (K,) bool, of an estimate from these matches.
            errors: (K,) distances to the ground truth.
            style: how it looks; see `cyano.viz.MatchStyle`.

        Raises:
            InputError: the images are not at hand.
        """
        return viz.draw_matches(*self._shown(), scores=self.scores, inliers=inliers, errors=errors, style=style)

    def draw_image(
        self,
        *,
        inliers: NDArray[np.bool_] | None = None,
        errors: NDArray[np.floating[Any]] | None = None,
        style: viz.MatchStyle = DEFAULT_STYLE,
        longest_side: int | None = PICTURE_SIDE,
    ) -> NDArray[np.uint8]:
        """The picture of `draw` as (H, W, 3) uint8 RGB, in milliseconds and without matplotlib.

        Args:
            inliers: as for `draw`.
            errors: as for `draw`.
            style: as for `draw`.
            longest_side: pixels of its longer side; None leaves the images as they are.

        Raises:
            InputError: the images are not at hand.
        """
        return viz.draw_matches_image(
            *self._shown(), scores=self.scores, inliers=inliers, errors=errors, style=style, longest_side=longest_side
        )

    def _shown(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        return _pixels(self.image0), _pixels(self.image1), self.keypoints0, self.keypoints1


def _pixels(image: ImageKeypoints) -> NDArray[np.uint8]:
    """The original image, or an error that says why there is none."""
    if image.rgb is None:
        raise InputError(
            f"the pixels of {image.name} are not available: matches of features come without images; "
            "draw with cyano.viz.draw_matches and the images themselves"
        )
    return image.rgb
