"""A localised photograph beside the image of the map that shows most of the same points."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cyano.errors import CyanoError
from cyano.localisation.map import Map
from cyano.localisation.outcome import Localisation
from cyano.processing.images import read
from cyano.viz import MatchStyle, draw_keypoints, draw_matches
from cyano.viz.encoding import figure_bytes

__all__ = ["picture_of"]


def picture_of(found: Localisation, photograph: Path, place: Map) -> bytes:
    """A PNG file's content: inliers in blue, other matches in orange.

    Where no image of the map was matched, or the map's images are not at hand, it is the photograph with its matches.

    Args:
        found: the outcome.
        photograph: its file.
        place: the map.

    Raises:
        ImageError: the photograph cannot be read.
    """
    options = place.recipe.options
    query = read(photograph, options.limits, stretch=options.stretch).rgb
    style = MatchStyle(title=found.status, notes=(found.message,))
    best = found.candidates[0].name if found.candidates else None
    if best is not None and place.images is not None:
        try:
            other = read(place.images / best, options.limits, stretch=options.stretch).rgb
        except CyanoError:
            best = None
    if best is None or place.images is None:
        return figure_bytes(draw_keypoints(query, found.points2D))
    chosen = found.seen_in == 0
    image = place.image(best)
    rows = np.searchsorted(place.model.point_ids, found.points[chosen])
    where = np.full(len(place.model.points), -1, np.int64)
    where[image.points[image.points >= 0]] = np.flatnonzero(image.points >= 0)
    figure = draw_matches(
        query, other, found.points2D[chosen], image.keypoints[where[rows]], inliers=found.inliers[chosen], style=style
    )
    return figure_bytes(figure)
