"""`cyano verify-pairs`: matches to matches with the geometry of their two views."""

from __future__ import annotations

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.output import watching

__all__ = ["HELP", "verify"]

HELP = """Geometric verification of pairs that were matched with --no-verify; existing results are reused.

The result is that of match-all without --no-verify. So matching can run on a machine with a GPU, and verification on \
one with more cores. Use the options that the features were extracted with.

\b
cyano match-all photos --out model --no-verify
cyano verify-pairs photos --out model

Exit codes: 0 done; 1 error; 2 usage error; 3 some failed (each is listed) and the rest is done."""


def verify(
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
    """Parse, verify, print; the help is `HELP`."""
    given.check_folders(images, masks)
    from cyano.cli.collections import report

    machines = given.Machines(engine, address, workers, gpus)
    with watching(aside=True) as watcher:
        run = given.run_of(watcher, machines, device, shard, force=False, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        collection = given.collection_of(images, out, settings)
        from cyano.collection import verify_pairs

        summary = verify_pairs(collection, run)
    document = {"format": "cyano-verify-1", "verified": report.stage_document(summary)}
    facts = report.stage_facts("verified", summary)
    report.tell(f"geometry of {images}", facts, document, [summary], [], as_json)
