"""`cyano match-all`: features of a folder of images to matches."""

from __future__ import annotations

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.collections import pair_options as pairing
from cyano.cli.output import watching

__all__ = ["HELP", "match_all"]

HELP = """Match the image pairs of a folder with extracted features; existing results are reused.

Use the options that the features were extracted with.

\b
cyano match-all photos --out model --pairs sequential --window 5
cyano match-all photos --out model --shard 3/16

Exit codes: 0 done; 1 error; 2 usage error; 3 some failed (each is listed) and the rest is done."""


def match_all(
    images: given.Images,
    *,
    out: given.Out,
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
    clusters: pairing.Clusters = 64,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    masks: given.Masks = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    precision: shared.Precision = "float32",
    no_verify: given.NoVerify = False,
    engine: given.EngineOption = "local",
    address: given.Address = None,
    workers: given.Workers = None,
    gpus: given.Gpus = None,
    shard: given.Shard = None,
    force: given.Force = False,
    retry: given.Retry = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, select, match, print; the help is `HELP`."""
    given.check_folders(images, masks)
    from cyano.cli.collections import report

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
        run = given.run_of(watcher, machines, device, shard, force=force, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        collection = given.collection_of(images, out, settings, verify=not no_verify)
        from cyano.collection import match_pairs, select_pairs

        choice = select_pairs(collection, wanted, pairing.vlad_options(clusters))
        summary = match_pairs(collection, choice.pairs, run)
    facts = [("pairs", choice.method), *report.stage_facts("matched", summary)]
    document = {"format": "cyano-match-all-1", "pairs": choice.method, "matched": report.stage_document(summary)}
    report.tell(f"matches of {images}", facts, document, [summary], choice.notes, as_json)
