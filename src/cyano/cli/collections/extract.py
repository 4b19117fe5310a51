"""`cyano extract`: a folder of images to their features."""

from __future__ import annotations

from typing import Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.output import watching

__all__ = ["HELP", "extract"]

HELP = """Extract the features of a folder of images; existing results are reused.

\b
cyano extract photos --out model
cyano extract photos --out model --shard 3/16

Exit codes: 0 done; 1 error; 2 usage error; 3 some failed (each is listed) and the rest is done."""


def extract(
    images: given.Images,
    *,
    out: given.Out,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    masks: given.Masks = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    precision: shared.Precision = "float32",
    engine: given.EngineOption = "local",
    address: given.Address = None,
    workers: given.Workers = None,
    gpus: given.Gpus = None,
    shard: given.Shard = None,
    force: given.Force = False,
    retry: given.Retry = False,
    hloc: Annotated[
        bool, typer.Option("--hloc", help="Also write features.h5 for hloc, or to train another detector on.")
    ] = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, extract, print; the help is `HELP`."""
    given.check_folders(images, masks)
    from cyano.cli.collections import report

    machines = given.Machines(engine, address, workers, gpus)
    with watching(aside=True) as watcher:
        run = given.run_of(watcher, machines, device, shard, force=force, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        collection = given.collection_of(images, out, settings)
        from cyano.collection import extract_images, write_hloc_features

        summary = extract_images(collection, run)
        exported = write_hloc_features(collection, force=force) if hloc else None
    document = {"format": "cyano-extract-1", "images": report.stage_document(summary)}
    facts, notes = report.stage_facts("images", summary), collection.notes()
    if exported is not None:
        document["hloc"] = vars(exported)
        facts.append(("hloc", f"{exported.images} images, in {collection.hloc_features}"))
    report.tell(f"features of {images}", facts, document, [summary], notes, as_json)
