"""Pictures of correspondences: functions return a figure or an array, and neither show nor write anything.

`draw` makes matplotlib figures, to draw on and for vector formats; `fast` makes arrays with what is in `painting`, in
milliseconds. Both paint the same plan from `layout`, with colours from `colours`; `overlay` lays one registered
image over another. `model` shows a sparse model from above and from the side, as an array.
"""

from cyano.viz.draw import draw_keypoints, draw_matches, draw_overlay
from cyano.viz.fast import draw_matches_image
from cyano.viz.layout import MAX_LINES, MatchStyle
from cyano.viz.model import draw_model
from cyano.viz.overlay import OverlayMode, overlay_image

__all__ = [
    "MAX_LINES",
    "MatchStyle",
    "OverlayMode",
    "draw_keypoints",
    "draw_matches",
    "draw_matches_image",
    "draw_model",
    "draw_overlay",
    "overlay_image",
]
