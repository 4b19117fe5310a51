"""`cyano localise`: where photographs were taken, in a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.maps.localise_options import known_cameras, known_else, queries_of
from cyano.cli.output import busy, watching

if TYPE_CHECKING:
    from cyano.localisation import LocaliseOptions, Localiser

__all__ = ["HELP", "localise"]

SEARCH = "Search"

HELP = """Localise images in a model of `cyano reconstruct`: position, viewing direction and confidence.

QUERIES is an image, a folder of images, a list (a name on each line, or hloc's `name MODEL width height params`), or \
- for a list on standard input. A line is printed for each image: name, status, position and viewing direction in the \
model's frame, inliers, confidence, and the source of the intrinsics. With --out the run may be stopped at any moment; \
the same command then resumes it.

\b
cyano localise new.jpg --map model
cyano localise walk --map model --out found --pictures
cyano localise new.jpg --map model --camera PINHOLE:1400,1400,960,540 --json
cyano localise drive --map model --rig rig.json --out found

Exit codes: 0 all are localised; 1 error; 2 usage error; 3 some are uncertain or failed (each is listed), and the \
rest is done."""


def localise(
    queries: Annotated[str, typer.Argument(metavar="QUERIES", help="Image, folder, list, or -.", show_default=False)],
    *,
    place: Annotated[
        Path,
        typer.Option("--map", "-m", metavar="MODEL", help="DIR of `cyano reconstruct --out DIR`.", show_default=False),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the map's images, used to align matches; without it poses are less accurate.",
            show_default="MODEL/images, which `cyano reconstruct` links",
        ),
    ] = None,
    query_images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder that the names of a list are relative to.",
            show_default="that of the list; the current one for -",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder of the results; created if missing.", show_default=False
        ),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Draw each query image next to its best image of the map.")
    ] = False,
    camera: Annotated[
        str,
        typer.Option(
            metavar="auto|MODEL:P,P,...[@WxH]",
            help="Intrinsics of the query images, in COLMAP's order and pixels: PINHOLE:fx,fy,cx,cy, and @WxH "
            "if for another size. auto takes those of the map's images of the same camera, or of EXIF, or estimates "
            "them.",
            rich_help_panel=SEARCH,
        ),
    ] = "auto",
    cameras_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Intrinsics of single images and folders: as in `cyano reconstruct`, or hloc's query list.",
            show_default=False,
            rich_help_panel=SEARCH,
        ),
    ] = None,
    query_masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Masks of the query images, black where no keypoints are wanted, as in `cyano reconstruct`.",
            show_default=False,
            rich_help_panel=SEARCH,
        ),
    ] = None,
    rig: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="COLMAP's rig configuration (JSON): images whose names differ in the camera's prefix only are "
            "localised together.",
            show_default=False,
            rich_help_panel=SEARCH,
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|exif",
            help="Position priors: lines NAME X Y Z [SX SY SZ] in the map's frame; or exif, the GPS positions of the "
            "files, for a georeferenced map.",
            show_default=False,
            rich_help_panel=SEARCH,
        ),
    ] = None,
    prior_radius: Annotated[
        float,
        typer.Option(
            help="Maximum distance of map images and poses from --prior, in the map's unit.",
            rich_help_panel=SEARCH,
        ),
    ] = 50.0,
    top_k: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of map images to match, the most similar ones; maps of up to 20 are matched completely.",
            rich_help_panel=SEARCH,
        ),
    ] = 10,
    threshold: Annotated[
        float,
        typer.Option(help="Inlier threshold, in pixels of the query image.", rich_help_panel=SEARCH),
    ] = 4.0,
    min_inliers: Annotated[int, typer.Option(min=4, help="Minimum inliers of a pose.", rich_help_panel=SEARCH)] = 12,
    no_expand: Annotated[
        bool,
        typer.Option(
            "--no-expand",
            help="Do not also match the images of the map that share most points with the inliers.",
            rich_help_panel=SEARCH,
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Random seed of RANSAC.", rich_help_panel=SEARCH)] = 0,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    masks: given.Masks = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    precision: shared.Precision = "float32",
    no_align: shared.NoAlign = False,
    force: given.Force = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, localise, print; the help is `HELP`."""
    shared.existing_folder(place, "--map")
    shared.existing_folder(images, "--images")
    shared.existing_folder(query_images, "--query-images")
    if pictures and out is None:
        raise typer.BadParameter("--pictures go into a folder of results; add --out DIR")
    if prior is not None and rig is not None:
        raise typer.BadParameter("--prior is for single images, not for those of a --rig")
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines() if queries == "-" else None
    asked = known_cameras(queries_of(queries, lines, query_images), camera, cameras_file)
    asked = known_else(asked, query_masks, prior, place)
    settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
    with shared.usage_errors():
        from cyano.localisation import LocaliseOptions

        options = LocaliseOptions(
            top_k=top_k,
            threshold_px=threshold,
            min_inliers=min_inliers,
            expand=not no_expand,
            seed=seed,
            prior_radius=prior_radius,
        )
    from cyano.formats.rigs import Rig

    placed = None if rig is None else Rig.read(rig)
    localiser = _localiser(place, images, settings, options, align=not no_align)
    from cyano.cli.maps.localise_report import Report
    from cyano.localisation.output.results import Results
    from cyano.localisation.run import localise_frames, localise_queries

    results = None if out is None else Results(out, localiser, overwrite=force)
    report = Report(localiser, results, as_json=as_json)
    try:
        with watching() as watcher:
            all_done = (
                localise_queries(localiser, asked, results, pictures=pictures)
                if placed is None
                else localise_frames(localiser, asked, placed, results, pictures=pictures)
            )
            for number, done in enumerate(all_done, start=1):
                report.add(done)
                watcher.at("localising", number, len(asked))
    finally:  # also after an interrupt
        report.finish()
    report.tell()


def _localiser(
    place: Path, images: Path | None, settings: given.Settings, options: LocaliseOptions, *, align: bool
) -> Localiser:
    """The map and the networks, loaded."""
    recipe = given.recipe_of(settings, align=align)
    with busy("loading the map"):
        from cyano.localisation import Localiser, Map

        return Localiser(Map.open(place, recipe, images), options)
