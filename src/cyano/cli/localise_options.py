"""What `cyano localise` takes, as the library's values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cyano.cli import arguments as shared

if TYPE_CHECKING:
    from cyano.formats import KnownCamera
    from cyano.localisation.queries import Query

__all__ = ["known_cameras", "queries_of"]


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
        InputError: the file is none of cameras, or COLMAP has no such camera.
    """
    from cyano.formats import KnownCamera, read_cameras_file
    from cyano.formats.known_cameras import check_known_camera
    from cyano.formats.query_lists import read_query_list
    from cyano.localisation.queries import with_cameras

    default = None
    if camera != "auto":
        model, _, numbers = camera.partition(":")
        try:
            params = tuple(float(number) for number in numbers.split(","))
        except ValueError as error:
            raise typer.BadParameter(
                f"--camera is auto, or MODEL:P,P,... such as PINHOLE:1400,1400,960,540, not {camera!r}"
            ) from error
        with shared.usage_errors():
            default = KnownCamera(model, params)
            check_known_camera(default)
    listed: dict[str, KnownCamera | None] = {}
    if file is not None:
        shared.existing_file(file, "--cameras-file")
        listed = dict(read_cameras_file(file)) if file.suffix.lower() == ".toml" else read_query_list(file)
    return with_cameras(queries, listed, default)
