"""What `cyano localise` takes, as the library's values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyano.cli import arguments as shared
from cyano.cli.collections.camera_options import camera_entry

if TYPE_CHECKING:
    from cyano.localisation.queries import Query

__all__ = ["known_cameras", "known_else", "queries_of"]


def queries_of(queries: str, lines: Sequence[str] | None, folder: Path | None) -> list[Query]:
    """The photographs.

    Args:
        queries: photograph, folder or list.
        lines: of a list, where it is read from elsewhere.
        folder: that names of a list are relative to; None for that of the list, or the current one.

    Raises:
        InputError: see `find_queries` and `listed_queries`.
    """
    from cyano.localisation.queries import find_queries, listed_queries

    if lines is not None:
        return listed_queries(lines, folder or Path())
    return find_queries(Path(queries), folder)


def known_cameras(queries: Sequence[Query], camera: str, file: Path | None) -> list[Query]:
    """The photographs with what is known of their cameras: by a list, else by the file, else by --camera.

    Raises:
        typer.BadParameter: --camera is not understood.
        InputError: the file is none of cameras, or there is no such camera model.
    """
    from cyano.formats import read_cameras_file
    from cyano.localisation.queries import with_cameras

    listed = {}
    if file is not None:
        shared.existing_file(file, "--cameras-file")
        listed = read_cameras_file(file)
    return with_cameras(queries, listed, None if camera == "auto" else camera_entry(camera, "--camera"))


def known_else(queries: list[Query], masks: Path | None, prior: str | None, place: Path) -> list[Query]:
    """The photographs with their masks and where they were taken, by a list or by EXIF.

    Raises:
        InputError: there are no masks, the list is none or has none of the photographs, or the map in `place` is not
            georeferenced.
    """
    from cyano.formats.priors import read_priors
    from cyano.localisation.priors import GeoFrame, exif_priors, with_priors
    from cyano.localisation.queries import with_masks

    masked = queries if masks is None else with_masks(queries, masks)
    if prior is None:
        return masked
    if prior == "exif":
        return exif_priors(masked, GeoFrame.of_map(place))
    return with_priors(masked, read_priors(prior))
