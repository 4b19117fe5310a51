"""How large pictures are, so that widths in points look alike on all of them, whoever paints."""

from __future__ import annotations

__all__ = ["DPI", "INCHES", "LEAST_INCHES", "NOTEBOOK_DPI", "NOTEBOOK_SIDE", "PICTURE_SIDE", "POINTS"]

INCHES = 12
"""The longer side of every picture, whatever the images."""

LEAST_INCHES = 0.5
"""The shorter side at least: a sliver of an image must not make a picture of no pixels, and has its text."""

POINTS = 72 * INCHES
"""Points along the longer side: what converts widths in points into pixels."""

DPI = 150
"""Pixels to the inch of a file."""

NOTEBOOK_DPI = 80
"""Pixels to the inch in a notebook, for the width of a cell."""

PICTURE_SIDE = INCHES * DPI
NOTEBOOK_SIDE = INCHES * NOTEBOOK_DPI
"""Pixels of the longer side in a file, 1800, and in a notebook, 960."""
