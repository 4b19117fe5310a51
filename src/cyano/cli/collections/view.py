"""`cyano view`: a picture, a page and point clouds of a model that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import busy, print_facts, print_json, result_console

__all__ = ["HELP", "view"]

HELP = """Write files to view a COLMAP model: model.html (a 3-D viewer for the browser, no network needed), model.png, \
model.ply (points) and model_cameras.ply.

\b
cyano view model/sparse/0
cyano view other/sparse/1 --out shown

Exit codes: 0 done; 1 error; 2 usage error."""


def view(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of the model, binary or text.", show_default=False)
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder of the results; created if missing.",
            show_default="the folder of the model",
        ),
    ] = None,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, write, print; the help is `HELP`."""
    shared.existing_folder(model, "MODEL")
    with busy("reading"):
        from cyano.collection import write_views

        views = write_views(model, model if out is None else out, str(model))
    files = {name: str(path) for name, path in views._asdict().items()}
    if as_json:
        print_json({"format": "cyano-view-1", "files": files})
    print_facts(result_console(as_json), f"views of {model}", list(files.items()))
