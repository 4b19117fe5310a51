"""`cyano colmap`: features and matches to a COLMAP database, a sparse model and files for hloc."""

from __future__ import annotations

from typing import Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given

__all__ = ["HELP", "colmap"]

HELP = """Export features and matches to DIR/database.db for COLMAP; also a sparse model or files for hloc.

\b
cyano colmap photos --out model --model
cyano colmap photos --out model --hloc

Exit codes: 0 done; 1 error; 2 usage error; 3 some images cannot be aligned or were taken out of the model, or the \
model is doubtful (each is listed), and the rest is done."""


def colmap(
    images: given.Images,
    *,
    out: given.Out,
    model: Annotated[bool, typer.Option("--model", help="Also reconstruct, into DIR/sparse.")] = False,
    hloc: Annotated[bool, typer.Option("--hloc", help="Also write features.h5 and matches.h5 into DIR/hloc.")] = False,
    mapper: given.Mapper = "incremental",
    cameras: given.Cameras = "image",
    camera: given.OneCamera = None,
    camera_model: given.CameraModel = None,
    camera_params: given.CameraParams = None,
    camera_size: given.CameraSize = None,
    cameras_file: given.CamerasFile = None,
    keep_cameras: given.KeepCameras = False,
    seed: given.Seed = 0,
    starts: given.Starts = 3,
    no_align: given.NoAlign = False,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    masks: given.Masks = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    precision: shared.Precision = "float32",
    no_verify: given.NoVerify = False,
    force: given.Force = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, write, print; the help is `HELP`."""
    given.check_folders(images, masks)
    from cyano.cli.collections import report
    from cyano.cli.output import busy, watching
    from cyano.collection import Run, align_images, write_database, write_hloc, write_model

    told = (camera_model, camera_params, camera_size, cameras_file)
    known = given.camera_options(cameras, *told, keep_cameras=keep_cameras, camera=camera)
    mapping = given.mapping_options(mapper, seed, starts, keep_cameras=keep_cameras)
    settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
    collection = given.collection_of(images, out, settings, verify=not no_verify)
    aligned = []
    if not (no_align or no_verify):
        with watching(aside=True) as watcher:
            aligned.append(align_images(collection, Run(watcher=watcher)))
    with busy("writing"):
        database = write_database(collection, known, align=not no_align, force=force)
        mapped = write_model(collection, mapping, force=force) if model else None
        exported = write_hloc(collection, align=not no_align, force=force) if hloc else None
    facts = [*report.database_facts(database), ("file", str(collection.database))]
    if mapped is not None:
        facts += [*report.model_facts(mapped), *report.model_files(collection)]
    if exported is not None:
        facts.append(("hloc", f"{exported.images} images, {exported.pairs} pairs, in {collection.hloc}"))
    document = {
        "format": "cyano-colmap-1",
        "aligned": report.stage_document(aligned[0]) if aligned else None,
        "database": vars(database),
        "model": None if mapped is None else report.model_document(mapped),
        "hloc": None if exported is None else vars(exported),
    }
    report.tell(f"database of {images}", facts, document, aligned, collection.notes(), as_json, model=mapped)
