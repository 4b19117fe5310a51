"""`cyano add`: new images into a map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.collections import pair_options as pairing
from cyano.cli.maps.localise_options import known_cameras, queries_of
from cyano.cli.output import busy, watching

if TYPE_CHECKING:
    from cyano.localisation import Addition

__all__ = ["HELP", "add"]

HELP = """Localise images in a map and add them to it.

MODEL is a map of `cyano reconstruct` or `cyano map`, and is not changed. The larger map is written to DIR, for `cyano \
localise`, `cyano add` and `cyano view`. Images that cannot be localised are tried again after others were added, and \
reported if that fails. Old images, cameras and points keep their ids and values: bundle adjustment refines only new \
poses and points, unless --refine all is given.

\b
cyano add more --to model --images photos --out grown
cyano add walk --to model --images photos --out grown --prefix walk/ --refine all
cyano localise new.jpg --map grown

Exit codes: 0 all are added; 1 error; 2 usage error; 3 some are not (each is listed with the reason), and the rest is \
done."""

RefineName: TypeAlias = Literal["new", "all"]


def add(
    images: Annotated[str, typer.Argument(metavar="NEW_IMAGES", help="Image, folder, or list.", show_default=False)],
    *,
    place: Annotated[
        Path, typer.Option("--to", metavar="MODEL", help="The map: DIR of `cyano reconstruct --out DIR`.")
    ],
    out: given.Out,
    map_images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="Folder of the map's images.", show_default="MODEL/images"),
    ] = None,
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Prefix of the new images' names.", show_default="nothing")
    ] = "",
    refine: Annotated[
        RefineName, typer.Option(help="What bundle adjustment refines: new poses and points, or all, and cameras.")
    ] = "new",
    camera: Annotated[
        str,
        typer.Option(
            metavar="auto|MODEL:P,P,...[@WxH]",
            help="Intrinsics of the new images, in COLMAP's order and pixels as stored: PINHOLE:fx,fy,cx,cy, and @WxH "
            "if for another size. auto takes the camera that the map's images of the same kind share, or estimates one "
            "for each.",
        ),
    ] = "auto",
    cameras_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Intrinsics of single images and folders.", show_default=False),
    ] = None,
    method: pairing.MethodOption = None,
    window: pairing.Window = None,
    quadratic: pairing.Quadratic = None,
    loop_every: pairing.LoopEvery = None,
    top_k: pairing.TopK = None,
    min_score: pairing.MinScore = None,
    max_distance: pairing.MaxDistance = None,
    max_angle: pairing.MaxAngle = None,
    poses: pairing.Poses = None,
    pair_list: pairing.PairList = None,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    masks: given.Masks = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    precision: shared.Precision = "float32",
    no_align: given.NoAlign = False,
    engine: given.EngineOption = "local",
    address: given.Address = None,
    workers: given.Workers = None,
    gpus: given.Gpus = None,
    force: given.Force = False,
    retry: given.Retry = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, add, print; the help is `HELP`."""
    shared.existing_folder(place, "--to")
    shared.existing_folder(map_images, "--images")
    wanted = pairing.pair_options(
        method,
        window=window,
        quadratic=quadratic,
        loop_every=loop_every,
        top_k=top_k,
        min_score=min_score,
        max_distance=max_distance,
        max_angle=max_angle,
        poses=poses,
        pair_list=pair_list,
    )
    asked = known_cameras(queries_of(images, None, None), camera, cameras_file)
    asked = [replace(query, name=prefix + query.name) for query in asked]
    machines = given.Machines(engine, address, workers, gpus)
    with watching(aside=True) as watcher:
        run = given.run_of(watcher, machines, device, force=force, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        recipe = given.recipe_of(settings, align=not no_align)
        with busy("loading the map"):
            from cyano.localisation import Map, add_images

            opened = Map.open(place, recipe, map_images)
        fixed = refine == "new"
        done = add_images(opened, asked, out, fix_old=fixed, pairs=wanted, align=not no_align, run=run)
    _tell(done, place, out, as_json)


def _tell(done: Addition, place: Path, out: Path, as_json: bool) -> None:
    from cyano.cli.collections.report import Facts, stage_document, stage_facts, tell, view_files

    model, files = done.model, view_files(out)
    facts: Facts = [
        *stage_facts("images", done.extraction),
        *stage_facts("matched", done.matching),
        *([] if done.alignment is None else stage_facts("aligned", done.alignment)),
        ("added", f"{len(model.added)} of {len(model.added) + len(model.failed)} images in {_counted(model.rounds)}"),
        ("points", f"{model.old_points} of before, {model.new_points} new"),
        (
            "reprojection error",
            f"{model.mean_reprojection_error:.2f} px (mean), {model.new_reprojection_error:.2f} px in new images",
        ),
        *files,
    ]
    document = {
        "format": "cyano-add-1",
        "images": stage_document(done.extraction),
        "matched": stage_document(done.matching),
        "aligned": None if done.alignment is None else stage_document(done.alignment),
        "model": vars(model),
        "files": dict(files),
    }
    title, reasons = f"{place} with more images", {"not added": model.failed}
    tell(title, facts, document, done.stages, done.notes, as_json, reasons=reasons, status=done.exit_status)


def _counted(rounds: int) -> str:
    return "1 round" if rounds == 1 else f"{rounds} rounds"
