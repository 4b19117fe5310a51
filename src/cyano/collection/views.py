"""What a model is looked at with: a picture, a page for the browser, and files for other viewers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from cyano.atomic import write_atomically
from cyano.formats import ModelSummary, read_model
from cyano.formats.ply import cameras_ply, points_ply
from cyano.viz import draw_model
from cyano.viz.encoding import image_bytes
from cyano.viz.viewer import frustum_depth, model_page

__all__ = ["ModelViews", "write_views"]


class ModelViews(NamedTuple):
    """The files that show a model.

    Attributes:
        picture: from above and from the side, PNG.
        page: to turn it in a browser, one HTML file that needs no network.
        points: PLY, for MeshLab, CloudCompare, Blender.
        cameras: as pyramids, PLY.

    Example:
        >>> ModelViews.within(Path("run")).page.name  # to turn the model in a browser
        'model.html'
    """

    picture: Path
    page: Path
    points: Path
    cameras: Path

    @classmethod
    def within(cls, folder: Path) -> ModelViews:
        """Where they are in a folder of results."""
        return cls(*(folder / name for name in ("model.png", "model.html", "model.ply", "model_cameras.ply")))


def write_views(
    model: str | os.PathLike[str], folder: str | os.PathLike[str], title: str, summary: ModelSummary | None = None
) -> ModelViews:
    """Write `model.png`, `model.html`, `model.ply` and `model_cameras.ply`, in place of those that are there.

    Args:
        model: folder of COLMAP's model.
        folder: where to; made if it is not there.
        title: of picture and page.
        summary: of the model, for the verdict; None for a model that was not made here.

    Raises:
        InputError: there is no model.
        OutputError: a file cannot be written.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> views = write_views("run/sparse/0", "views", "A table")
        >>> views.picture.name, views.points.name
        ('model.png', 'model.ply')
    """
    read, views = read_model(model), ModelViews.within(Path(folder))
    shown = title.encode("utf-8", "replace").decode("utf-8")
    lines = [f"{len(read.names):,} cameras, {len(read.points):,} points"]
    if len(read.points):
        track, error = read.track_lengths.mean(), read.errors.mean()
        lines.append(f"mean track length {track:.1f}; mean reprojection error {error:.2f} px")
    verdict, sound = ("", True) if summary is None else (summary.verdict, summary.sound)
    page = model_page(read, shown, lines, verdict=verdict, sound=sound)
    picture = draw_model(read.points, read.T_world_to_camera, read.colours, shown)
    write_atomically(views.picture, image_bytes(picture))
    write_atomically(views.page, page.encode("ascii"))
    write_atomically(views.points, points_ply(read))
    write_atomically(views.cameras, cameras_ply(read, frustum_depth(read)))
    return views
