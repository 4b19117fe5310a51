"""How to match: what the runtime lets a program choose."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal, TypeAlias, get_args

from cyano.errors import InputError
from cyano.processing.images import ImageLimits
from cyano.processing.resize import ResizeRule

__all__ = ["Precision", "ResizeRule", "RuntimeOptions"]

Precision: TypeAlias = Literal["float32", "fastest"]

DEFAULT_RESIZE = ResizeRule()
DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True)
class RuntimeOptions:
    """How to match. What the graphs hold, such as the threshold of keypoints, was chosen when they were exported.

        matcher = Matcher(options=RuntimeOptions(resize=ResizeRule.longest(1024), max_keypoints=512))

    Attributes:
        resize: what the networks see of an image; results are in original pixels whatever it is.
        max_keypoints: the strongest ones of each image, at most as many as the export has; None for 1024, or all of
            an export that has fewer.
        match_threshold: least probability of a match, of at least what the export has; None for that of the weights,
            of which a quarter is enough for matches that alignment confirms.
        align: move the second point of each match to where its surroundings look like those of the first, and drop
            matches without such a place as far as others of the pair have one.
        stretch: spread the values of 16-bit images that use a small part of their range over all of it.
        limits: bounds on the size of images.
        precision: "float32" for the same matches everywhere; "fastest" lets OpenVINO compute in bfloat16 or float16
            where the processor is faster in that, and changes about one match in a hundred.
        threads: of the engine; None for its own choice. OpenCV's are those of the process (`cv2.setNumThreads`).
    """

    resize: ResizeRule = DEFAULT_RESIZE
    max_keypoints: int | None = None
    match_threshold: float | None = None
    align: bool = True
    stretch: bool = True
    limits: ImageLimits = DEFAULT_LIMITS
    precision: Precision = "float32"
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value in {"max_keypoints": self.max_keypoints, "threads": self.threads}.items():
            if value is None:
                continue
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, not {value!r}")
        share = self.match_threshold
        if share is not None and not (isinstance(share, Real) and 0 <= share <= 1):
            raise InputError(f"match_threshold must be a number between 0 and 1, not {share!r}")
        if self.precision not in get_args(Precision):
            raise InputError(f"precision is one of {', '.join(get_args(Precision))}, not {self.precision!r}")
        if not isinstance(self.resize, ResizeRule):
            raise InputError(f"resize is a ResizeRule such as ResizeRule.longest(1024), not {self.resize!r}")
        if not isinstance(self.limits, ImageLimits):
            raise InputError(f"limits are ImageLimits, not {self.limits!r}")
