"""`cyano georeference`: a model into metres."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.output import busy, error_console, plain_line, print_facts, print_json, result_console

if TYPE_CHECKING:
    from cyano.localisation import Georeference

__all__ = ["HELP", "georeference"]

HELP = """Transform a model into metres, by known camera positions: a file, or GPS in EXIF.

MODEL is a map of `cyano reconstruct`, `map` or `add`, or the folder of any COLMAP model; it is not changed. The model \
in the frame of the positions is written to DIR. Scale, rotation and translation are estimated robustly: positions \
that are outliers are named and not used. The distance of each camera from its position is in DIR/georeference.json.

\b
cyano georeference model --positions exif --images photos --out metres
cyano georeference model --positions surveyed.txt --out metres
cyano georeference model --positions gnss.txt --coordinates geodetic --frame ecef --out metres

Exit codes: 0 done; 1 error; 2 usage error; 3 done, and some positions do not agree (each is listed)."""

CoordinatesName: TypeAlias = Literal["xyz", "geodetic"]
FrameName: TypeAlias = Literal["enu", "ecef"]

_SHOWN = 5
"""Residuals that are printed, the largest; all are in the report."""


def georeference(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A map, or a COLMAP model.", show_default=False)],
    *,
    positions: Annotated[
        str,
        typer.Option(
            metavar="FILE|exif", help="Lines of name x y z, or the GPS positions in EXIF.", show_default=False
        ),
    ],
    out: given.Out,
    coordinates: Annotated[
        CoordinatesName,
        typer.Option(
            help="Coordinates in FILE: x y z in any Cartesian frame, or geodetic: degrees north, degrees east, metres "
            "above the ellipsoid (WGS 84)."
        ),
    ] = "xyz",
    frame: Annotated[
        FrameName,
        typer.Option(help="Frame for geodetic and EXIF positions: east, north, up from their mean, or Earth-centred."),
    ] = "enu",
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the images, for exif.", show_default="MODEL/images"),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Inlier threshold of positions, in metres or their unit.",
            show_default="2.5 times their noise",
        ),
    ] = None,
    force: given.Force = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, transform, print; the help is `HELP`."""
    shared.existing_folder(model, "MODEL")
    shared.existing_folder(images, "--images")
    if positions == "exif" and coordinates != "xyz":
        raise typer.BadParameter("--coordinates is for a file of positions; EXIF positions are always geodetic")
    if max_error is not None and not max_error > 0:
        raise typer.BadParameter(f"--max-error is more than 0, not {max_error:g}")
    if positions != "exif":
        shared.existing_file(Path(positions), "--positions")
    with busy("georeferencing"):
        from cyano import localisation

        done = localisation.georeference(
            model,
            "exif" if positions == "exif" else Path(positions),
            out,
            coordinates=coordinates,
            frame=frame,
            images=images,
            max_error=max_error,
            force=force,
        )
    _tell(done, model, out, as_json)


def _tell(done: Georeference, model: Path, out: Path, as_json: bool) -> None:
    from cyano.cli.collections.report import view_files

    files = [*view_files(out), ("report", str(out / "georeference.json"))]
    if as_json:
        print_json({"format": "cyano-georeference-1", **vars(done), "files": dict(files)})
    agreeing = {name: value for name, value in done.residuals.items() if name not in done.outliers}
    worst = sorted(agreeing.items(), key=lambda each: -each[1])[:_SHOWN]
    facts = [
        ("frame", _frame(done)),
        ("scale", f"{done.scale:.6g} to a unit of the model"),
        ("positions", f"{len(agreeing)} of {len(done.residuals)} agree; {len(done.without_position)} images have none"),
        ("noise", f"{done.noise:.3g} in each coordinate; {done.turn:.2g} degrees about their longest axis"),
        ("largest residuals", ", ".join(f"{name} {value:.3g}" for name, value in worst)),
        *files,
    ]
    print_facts(result_console(as_json), f"{model} in {done.frame.upper()}", facts)
    for name in done.outliers:
        told = f"does not agree: {name}: its camera is {done.residuals[name]:.3g} from its position"
        plain_line(error_console(), told, style="red")
    if done.exit_status:
        raise typer.Exit(done.exit_status)


def _frame(done: Georeference) -> str:
    if done.origin is not None:
        north, east, up = done.origin
        return f"metres east, north and up from {north:.8f} north, {east:.8f} east, {up:g} m (WGS 84)"
    return "metres, Earth-centred and Earth-fixed (WGS 84)" if done.frame == "ecef" else "that of the positions"
