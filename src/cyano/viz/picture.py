"""The figure that `cyano.viz` returns. Import this module late: it imports matplotlib."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cyano.viz.encoding import figure_bytes
from cyano.viz.sizes import NOTEBOOK_DPI

__all__ = ["Picture"]


class Picture(Figure):
    """A matplotlib figure that notebooks show without pyplot; without it, they print its name only."""

    def __init__(self, figsize: tuple[float, float], dpi: float) -> None:
        """Make an empty figure with a canvas that needs no screen; the arguments are matplotlib's."""
        super().__init__(figsize=figsize, dpi=dpi)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return figure_bytes(self, "png", dpi=NOTEBOOK_DPI)
