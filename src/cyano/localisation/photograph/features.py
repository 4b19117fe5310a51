"""A photograph to localise: its features, and what its file says of its camera."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.concise import Concise
from cyano.exif import OPENING_ERRORS, facts_in, facts_of
from cyano.matcher import Matcher
from cyano.processing.images import ImageSource, read
from cyano.reading import without_warnings
from cyano.types import Features, ImageSize

__all__ = ["Photograph", "orientation_of"]


@dataclass(frozen=True, eq=False, repr=False)
class Photograph(Concise):
    """A photograph to localise.

    Attributes:
        name: the path, or "image".
        features: in pixels of the photograph as it is displayed.
        orientation: of EXIF, 1 to 8: how the stored pixels are turned to be displayed.
        focal_35mm: of EXIF, None if it does not tell.
        grey: (H, W) float32 in [0, 1], as it is displayed; None where it is not needed any more.
    """

    name: str
    features: Features
    orientation: int = 1
    focal_35mm: float | None = None
    grey: NDArray[np.float32] | None = None

    @classmethod
    def read(cls, source: ImageSource, matcher: Matcher, mask: ImageSource | None = None) -> Photograph:
        """Read a photograph and detect its keypoints.

        Args:
            source: what `Matcher.extract` takes.
            matcher: that of the map.
            mask: of its size, black where keypoints are not wanted.

        Raises:
            ImageError: it or its mask cannot be read or used.
        """
        options = matcher.options
        loaded = read(source, options.limits, stretch=options.stretch)
        features = matcher.extract([loaded.grey], masks=[mask])[0]
        turned = orientation_of(source) if loaded.was_turned else 1
        return cls(loaded.name, features, turned, loaded.focal_35mm, loaded.grey)

    def mirrored(self, matcher: Matcher) -> Features | None:
        """Features of its mirror image; None without its pixels."""
        if self.grey is None:
            return None
        (features,) = matcher.extract([np.ascontiguousarray(self.grey[:, ::-1])])
        return features

    @property
    def size(self) -> ImageSize:
        """As it is displayed."""
        return self.features.frame.original

    @property
    def stored(self) -> ImageSize:
        """Of the pixels in the file."""
        return self.size.turned(1 if self.orientation in range(5, 9) else 0)


def orientation_of(source: ImageSource) -> int:
    """EXIF's orientation, 1 to 8; 1 for pixels without a file."""
    if isinstance(source, str | os.PathLike):
        return facts_in(source).orientation
    try:
        with without_warnings():
            if isinstance(source, Image.Image):
                return facts_of(source).orientation
            if isinstance(source, bytes):
                with Image.open(io.BytesIO(source)) as image:
                    return facts_of(image).orientation
    except OPENING_ERRORS:
        pass
    return 1
