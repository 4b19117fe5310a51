"""Photographs in the mirror: of a nearly symmetric place they fit the other side of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyano.localisation.map import Map
from cyano.localisation.photograph.correspondences import Correspondences, find_correspondences
from cyano.localisation.photograph.features import Photograph
from cyano.matcher import Matcher

__all__ = ["HARDLY_MIRRORED", "better_mirrored"]

HARDLY_MIRRORED = 0.6
"""Share of the matched keypoints that agree with a pose, above which a photograph is not looked at in the mirror. The
mirror image of a portal that is nearly symmetric had 0.28 and 0.29, the photographs themselves 0.82 to 0.98."""


def better_mirrored(
    place: Map,
    matcher: Matcher,
    photograph: Photograph,
    names: list[str],
    found: Correspondences,
    inliers: NDArray[np.bool_],
) -> str:
    """In words, that the mirror image of a photograph has more matches with the best image of a map; "" if it has not.

    Args:
        place: the map.
        matcher: with the map's recipe.
        photograph: whose pose was found.
        names: the images of the map that it was matched with.
        found: its correspondences.
        inliers: (K,) bool, those that agree with the pose.
    """
    features = photograph.mirrored(matcher)
    if features is None:
        return ""
    number = int(np.bincount(found.images[inliers]).argmax())
    own = int((found.images == number).sum())
    others = len(find_correspondences(matcher, place, [names[number]], features).keypoints)
    if others <= own:
        return ""
    return f"; its mirror image has {others} matches with {names[number]} and it has {own}: it may be mirrored"
