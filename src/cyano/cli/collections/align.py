"""`cyano align`: verified matches to exact keypoints."""

from __future__ import annotations

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.output import watching

__all__ = ["HELP", "align"]

HELP = """Sub-pixel refinement of keypoints over all images of a track; existing results are reused.

Run it after all parts of match-all are done, and before colmap, which does whatever is missing. Use the options that \
the features were extracted with.

\b
cyano align photos --out model
cyano align photos --out model --shard 3/16

Exit codes: 0 done; 1 error; 2 usage error; 3 some failed (each is listed) and the rest is done."""


def align(
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
    retry: given.Retry = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, align, print; the help is `HELP`."""
    given.check_folders(images, masks)
    from cyano.cli.collections import report

    machines = given.Machines(engine, address, workers, gpus)
    with watching(aside=True) as watcher:
        run = given.run_of(watcher, machines, device, shard, force=False, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        collection = given.collection_of(images, out, settings)
        from cyano.collection import align_images

        summary = align_images(collection, run)
    document = {"format": "cyano-align-1", "aligned": report.stage_document(summary)}
    report.tell(f"keypoints of {images}", report.stage_facts("aligned", summary), document, [summary], [], as_json)
