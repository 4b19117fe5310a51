"""A sparse model as one HTML page that shows it in any browser, without a network."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.sparse import SparseModel
from cyano.viz.model import camera_centres, frame_of

__all__ = ["frustum_depth", "model_page"]

_MOST = 1000  # cameras that the usual distance between neighbours is taken of


def model_page(
    model: SparseModel, title: str, lines: Sequence[str] = (), *, verdict: str = "", sound: bool = True
) -> str:
    """The page, in ASCII.

    Its data are little-endian arrays in base64, in one JSON element `facts-data`: `points` (P, 3) float32 less
    `origin`, `colours` (P, 3) uint8, `errors` (P,) float32 in pixels, `tracks` (P,) uint16, and `cameras` (C, 14)
    float32: the centre less `origin`, the rows of the rotation from world to camera, and the tangents of half the
    fields of view. `axes` are the rows right, forward and up.

    Args:
        model: with at least one camera.
        title: of the page.
        lines: what is told besides.
        verdict: how far the model can be trusted, in a line.
        sound: whether it can be.

    Raises:
        InputError: the model has no camera.
    """
    frame = frame_of(model.points, model.T_world_to_camera)
    centres = camera_centres(model.T_world_to_camera) - frame.middle
    rotations = model.T_world_to_camera[:, :3, :3].reshape(-1, 9)
    facts = {
        "title": title,
        "verdict": verdict,
        "sound": sound,
        "lines": list(lines),
        "names": list(model.names),
        "seen": model.seen.tolist(),
        "origin": frame.middle.tolist(),
        "axes": frame.axes.tolist(),
        "reach": frame.reach,
        "depth": frustum_depth(model),
        "points": _encoded(model.points - frame.middle, "<f4"),
        "colours": _encoded(model.colours, "u1"),
        "errors": _encoded(model.errors, "<f4"),
        "tracks": _encoded(np.minimum(model.track_lengths, np.iinfo(np.uint16).max), "<u2"),
        "cameras": _encoded(np.hstack([centres, rotations, model.half_views]), "<f4"),
    }
    # In a script element only "<" could end it; JSON lets it be written otherwise.
    document = json.dumps(facts, allow_nan=False).replace("<", "\\u003c")
    page = files("cyano.viz").joinpath("viewer.html").read_text("ascii")
    head, _, rest = page.partition("@TITLE@")
    middle, _, tail = rest.partition("@FACTS@")
    return head + html.escape(title).encode("ascii", "xmlcharrefreplace").decode("ascii") + middle + document + tail


def frustum_depth(model: SparseModel) -> float:
    """How deep cameras are drawn: less than the usual distance of neighbours, and not too small or large to see."""
    frame = frame_of(model.points, model.T_world_to_camera)
    centres = camera_centres(model.T_world_to_camera)[frame.shown]
    centres = centres[:: -(-len(centres) // _MOST) or 1]
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    usual = float(np.median(gaps.min(axis=1))) if len(centres) > 1 else frame.reach
    return float(np.clip(0.7 * usual, 0.03 * frame.reach, 0.12 * frame.reach))


def _encoded(values: NDArray[np.generic], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode("ascii")
