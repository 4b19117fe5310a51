"""`cyano map`: any COLMAP model to a map that photographs are localised in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.collections import pair_options as pairing
from cyano.cli.output import watching

if TYPE_CHECKING:
    from cyano.localisation import ForeignMap

__all__ = ["HELP", "make_map"]

HELP = """Make a map for `cyano localise` from any COLMAP model, of SIFT or other features.

COLMAP_MODEL (binary or text) is not changed. The map keeps its poses, cameras and ids; its points are triangulated \
from Cyano's keypoints and matches. DIR has the files of `cyano reconstruct`. Each image is matched with those that \
share most points with it in the model, and with the nearest by pose, unless --pairs is given. Images that are not in \
the folder are left out. The run may be stopped at any moment; the same command then resumes it.

\b
cyano map colmap/sparse/0 --images photos --out model
cyano map colmap/sparse/0 --images photos --out model --pairs exhaustive --resize 1024
cyano localise new.jpg --map model

Exit codes: 0 done; 1 error; 2 usage error; 3 some images are left out, or their matches contradict their poses (each \
is listed), and the rest is done."""


def make_map(
    model: Annotated[
        Path, typer.Argument(metavar="COLMAP_MODEL", help="Folder of the model: sparse/0.", show_default=False)
    ],
    *,
    images: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder that the model's image names are relative to.", show_default=False),
    ],
    out: given.Out,
    method: pairing.OfModelOption = None,
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
    """Parse, make the map, print; the help is `HELP`."""
    shared.existing_folder(model, "COLMAP_MODEL")
    shared.existing_folder(images, "--images")
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
    machines = given.Machines(engine, address, workers, gpus)
    with watching(aside=True) as watcher:
        run = given.run_of(watcher, machines, device, force=force, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        recipe = given.recipe_of(settings)
        from cyano import localisation

        done = localisation.make_map(model, images, out, recipe, pairs=wanted, align=not no_align, run=run)
    _tell(done, model, out, as_json)


def _tell(done: ForeignMap, source: Path, out: Path, as_json: bool) -> None:
    from cyano.cli.collections.report import Facts, stage_document, stage_facts, tell, view_files

    found = done.model
    files = view_files(out)
    facts: Facts = [
        *stage_facts("images", done.extraction),
        ("pairs", done.pairs),
        *stage_facts("matched", done.matching),
        *([] if done.alignment is None else stage_facts("aligned", done.alignment)),
        ("map", f"{found.images} images, {100 * found.agreement:.0f} % of their matches agree with the poses"),
        ("points", f"{found.points}, mean track length {found.mean_track_length:.1f}"),
        ("reprojection error", f"{found.mean_reprojection_error:.2f} px (mean)"),
        *files,
    ]
    document = {
        "format": "cyano-map-1",
        "images": stage_document(done.extraction),
        "pairs": done.pairs,
        "matched": stage_document(done.matching),
        "aligned": None if done.alignment is None else stage_document(done.alignment),
        "model": vars(found),
        "left_out": dict(done.left_out),
        "files": dict(files),
    }
    title, reasons = f"map of {source}", {"left out": done.left_out, "doubtful": found.doubtful}
    tell(title, facts, document, done.stages, done.notes, as_json, reasons=reasons, status=done.exit_status)
