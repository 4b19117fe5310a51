"""Pictures: previews, matches drawn, and one image in the frame of the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.errors import InputError
from cyano.geometry import warp_image
from cyano.page.work.answers import Answer
from cyano.page.work.geometry import Model
from cyano.page.work.matching import Matching
from cyano.viz import MatchStyle, overlay_image
from cyano.viz.encoding import image_bytes

if TYPE_CHECKING:
    from cyano.page.work.desk import Desk

__all__ = ["Pictures", "jpeg"]

_QUALITY = 85


class Pictures:
    """Draws."""

    def __init__(self, desk: Desk, matching: Matching) -> None:
        self._desk, self._matching = desk, matching
        self.jobs: dict[str, Callable[..., Answer]] = {
            "preview": self.preview,
            "picture": self.picture,
            "registered": self.registered,
        }

    def preview(self, image: str, side: int) -> Answer:
        """An image as it is displayed, not larger than so many pixels a side, as JPEG."""
        return Answer({}, (jpeg(self._desk.image(image).rgb, side),))

    def picture(self, pair: dict[str, Any], model: dict[str, Any] | None, max_lines: int | None) -> Answer:
        """The picture of `cyano match --picture`, with the inliers of a model if one is asked for."""
        result, inliers = self._matching.with_pixels(pair), None
        notes: tuple[str, ...] = ()
        if model is not None:
            wanted = Model(model)
            result, (estimate,) = wanted.chosen(result).verified(wanted)
            inliers, notes = (estimate.inliers if estimate.ok else None), (estimate.message,)
        names = " : ".join((result.image0.name, result.image1.name))
        style = MatchStyle(title=names, notes=notes, max_lines=max_lines)
        return Answer({}, (image_bytes(result.draw_image(inliers=inliers, style=style)),))

    def registered(self, pair: dict[str, Any], model: dict[str, Any], overlay: str | None) -> Answer:
        """Image 1 in the frame of image 0, alone or over it, as PNG.

        Raises:
            InputError: there is no homography.
        """
        result, wanted = self._matching.with_pixels(pair), Model({**model, "kind": "homography"})
        _, (estimate,) = wanted.chosen(result).verified(wanted)
        rgb0, rgb1 = result.image0.rgb, result.image1.rgb
        if not estimate.ok or rgb0 is None or rgb1 is None:
            raise InputError(f"the images cannot be registered: {estimate.message}")
        warped, covered = warp_image(rgb1, estimate.matrix, result.image0.size)
        if overlay is not None:
            return Answer({}, (image_bytes(overlay_image(rgb0, warped, covered, overlay)),))  # type: ignore[arg-type]
        shown = np.dstack([warped, np.where(covered, 255, 0).astype(np.uint8)])
        return Answer({}, (image_bytes(shown),))


def jpeg(rgb: NDArray[np.uint8], side: int) -> bytes:
    """An (H, W, 3) uint8 image as JPEG whose longer side has so many pixels at most."""
    scale = side / max(rgb.shape[:2])
    if scale < 1:
        size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
