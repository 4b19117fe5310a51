"""The matcher's options, in one place for the library and the command line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Literal, TypeAlias, TypeVar, get_args

from cyano.errors import InputError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig
from cyano.processing.alignment_rules import DOUBTFUL
from cyano.processing.images import ImageLimits
from cyano.processing.resize import ResizeRule

__all__ = ["MatcherOptions", "Precision"]

DEFAULT_RESIZE = ResizeRule()
DEFAULT_LIMITS = ImageLimits()

Precision: TypeAlias = Literal["float32", "mixed", "bfloat16"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class MatcherOptions:
    """How to match. None leaves a value to the weights, which come with their own.

    Attributes:
        resize: what the networks see of an image; results are in original pixels whatever it is.
        max_keypoints: per image, the strongest ones; -1 for all.
        keypoint_threshold: least score of a keypoint: the detector's probability, for weights that localise by
            structure times how clear the place is. Cyano's own weights ask for so little (1e-6) that every picture with
            any texture has `max_keypoints`, as in their training; a greater value leaves blurred, dark and plain
            parts without keypoints.
        nms_radius: least distance of two keypoints along an axis, in pixels of the resized image.
        match_threshold: least probability of a match. That of the weights is for matches as such; a quarter of it is
            enough for those that alignment or geometry confirms, and up to 0.7 is asked where alignment speaks against
            one; docs/how-to/match.md has the table. One that is given is asked of all matches.
        sinkhorn_iterations: of the optimal transport.
        layers: of the graph network that are run; None for all. Fewer take less time. They match as well only as far
            as the weights were trained to say after each of them what matches, as `cyano-tiny` was.
        localisation: "probability" or "structure": what decides where keypoints lie; see `SuperPointConfig`.
        subpixel: move each keypoint to where it is between the pixels; without, keypoints are whole pixels of the
            resized image, as in transformers.
        align: move the second point of each match to where its surroundings look like those of the first, and drop
            matches without such a place as far as others of the pair have one; see `cyano.processing.alignment`.
            Features are extracted with what that takes, and without where this is off; a `cyano.store` has none, for
            its keypoints are to be the same in all pairs.
        precision: what the matcher's products are computed in; the softmax of its attention and the transport are
            always float32. "mixed" takes bfloat16, which is faster on processors with instructions for it and slower
            on others. The detector, which decides what a keypoint is, computes in float32 either way; "bfloat16" is
            "mixed" by another name, but for a GPU, where the detector takes it as well.
        rotations: "auto" also tries image 1 turned by 90, 180 and 270 degrees when there are fewer than
            `few_matches` matches, and keeps the best.
        views: "auto" also looks at both images at half their size, where blur is smaller, when fewer than three tenths
            of the keypoints match; and, when fewer than a tenth do, at either image compressed, as from the side, and
            reduced, as from afar. That takes seconds, and longest for images of different things, whose views are all
            tried. See `cyano.view_search`.
        few_matches: see `rotations` and `views`.
        stretch: spread the values of 16-bit images that use a small part of their range, such as those of 12-bit and
            thermal cameras, over all of it; see `cyano.processing.images.read`.
        limits: bounds on the size of images.

    Example:
        >>> options = cyano.MatcherOptions(resize=cyano.ResizeRule.longest(1024), max_keypoints=2048)
        >>> matcher = cyano.Matcher.from_pretrained(options=options, device="cpu")
        >>> detection, assignment = options.over(networks.superpoint.config, networks.superglue.config)
        >>> detection.max_keypoints, options.confirmed_threshold(assignment) == assignment.matching_threshold / 4
        (2048, True)
    """

    resize: ResizeRule = DEFAULT_RESIZE
    max_keypoints: int | None = None
    keypoint_threshold: float | None = None
    nms_radius: int | None = None
    match_threshold: float | None = None
    sinkhorn_iterations: int | None = None
    layers: int | None = None
    localisation: Literal["probability", "structure"] | None = None
    subpixel: bool = True
    align: bool = True
    precision: Precision = "float32"
    rotations: Literal["off", "auto"] = "off"
    views: Literal["off", "auto"] = "off"
    few_matches: int = 30
    stretch: bool = True
    limits: ImageLimits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        for name, value, least in (
            ("max_keypoints", self.max_keypoints, -1),
            ("nms_radius", self.nms_radius, 0),
            ("sinkhorn_iterations", self.sinkhorn_iterations, 1),
            ("few_matches", self.few_matches, 0),
            ("layers", self.layers, 1),
        ):
            if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < least):
                raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}")
        if self.max_keypoints == 0:
            raise InputError("max_keypoints is a number of at least 1, or -1 for all, not 0")
        for name, share in (("keypoint_threshold", self.keypoint_threshold), ("match_threshold", self.match_threshold)):
            if share is not None and not (isinstance(share, Real) and 0 <= share <= 1):
                raise InputError(f"{name} must be a number between 0 and 1, not {share!r}")
        if self.localisation not in (None, "probability", "structure"):
            raise InputError(f"localisation is 'probability' or 'structure', not {self.localisation!r}")
        if self.precision not in get_args(Precision):
            raise InputError(f"precision is one of {', '.join(get_args(Precision))}, not {self.precision!r}")
        for name, search in (("rotations", self.rotations), ("views", self.views)):
            if search not in ("off", "auto"):
                raise InputError(f"{name} is 'off' or 'auto', not {search!r}")
        if not isinstance(self.limits, ImageLimits):
            raise InputError(f"limits are ImageLimits, not {self.limits!r}")
        if not isinstance(self.resize, ResizeRule):
            raise InputError(f"resize is a ResizeRule such as ResizeRule.longest(1024), not {self.resize!r}")

    @property
    def searches(self) -> bool:
        """Whether images are also tried rotated or in other views."""
        return "auto" in (self.rotations, self.views)

    def over(
        self, superpoint: SuperPointConfig, superglue: SuperGlueConfig
    ) -> tuple[SuperPointConfig, SuperGlueConfig]:
        """The weights' own values with those of these options laid over them.

        Raises:
            InputError: the weights have fewer layers than the options ask for.
        """
        kinds = superglue.gnn_layers_types
        if self.layers is not None and self.layers > len(kinds):
            raise InputError(f"these weights have {len(kinds)} layers, not {self.layers}; ask for at most {len(kinds)}")
        return (
            replace(
                superpoint,
                max_keypoints=_or(self.max_keypoints, superpoint.max_keypoints),
                keypoint_threshold=_or(self.keypoint_threshold, superpoint.keypoint_threshold),
                nms_radius=_or(self.nms_radius, superpoint.nms_radius),
                keypoint_localisation=_or(self.localisation, superpoint.keypoint_localisation),
            ),
            replace(
                superglue,
                matching_threshold=_or(self.match_threshold, superglue.matching_threshold),
                sinkhorn_iterations=_or(self.sinkhorn_iterations, superglue.sinkhorn_iterations),
                gnn_layers_types=kinds[: self.layers],
            ),
        )

    def confirmed_threshold(self, superglue: SuperGlueConfig) -> float:
        """Least probability of a match that alignment or geometry confirms, of a matcher with these values in force."""
        return superglue.matching_threshold * (DOUBTFUL if self.match_threshold is None else 1)


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value
