"""`cyano reconstruct`: a folder of images to a sparse model."""

from __future__ import annotations

from cyano.cli import arguments as shared
from cyano.cli.collections import options as given
from cyano.cli.collections import pair_options as pairing
from cyano.cli.output import watching

__all__ = ["HELP", "reconstruct"]

HELP = """Structure from motion from a folder of images: features, pairs, matches, COLMAP database, sparse model.

Writes into DIR: store (features, matches, refined keypoints), database.db, sparse (models, the largest in 0), \
model.html (a 3-D viewer for the browser), model.png and model.ply. The run may be stopped at any moment; the same \
command then resumes it. Images that cannot be read are listed at the end, and the rest is done. Each stage is also a \
command, with the same options: extract, match-all, verify-pairs, align, colmap.

\b
cyano reconstruct photos --out model
cyano reconstruct frames --out model --pairs sequential --cameras all
cyano reconstruct photos --out model --resize 1024 --max-keypoints 2048 --json > model.json
cyano reconstruct drive --out model --camera-model PINHOLE --camera-params 718.9,718.9,607.2,185.2 --keep-cameras

Exit codes: 0 done; 1 error; 2 usage error; 3 some images or pairs failed, images were taken out of the model, or the \
model is doubtful (each is listed), and the rest is done."""


def reconstruct(
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
    engine: given.EngineOption = "local",
    address: given.Address = None,
    workers: given.Workers = None,
    gpus: given.Gpus = None,
    force: given.Force = False,
    retry: given.Retry = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, reconstruct, print; the help is `HELP`."""
    given.check_folders(images, masks)
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
    told = (camera_model, camera_params, camera_size, cameras_file)
    known = given.camera_options(cameras, *told, keep_cameras=keep_cameras, camera=camera)
    mapping = given.mapping_options(mapper, seed, starts, keep_cameras=keep_cameras)
    with watching(aside=True) as watcher:
        run = given.run_of(watcher, machines, device, force=force, retry=retry)
        settings = given.Settings(weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision)
        collection = given.collection_of(images, out, settings, verify=not no_verify)
        from cyano import collection as library

        done = library.reconstruct(
            collection,
            wanted,
            cameras=known,
            align=not no_align,
            mapping=mapping,
            vlad=pairing.vlad_options(clusters),
            run=run,
        )
    from cyano.cli.collections.report import tell_reconstruction

    tell_reconstruction(done, collection, as_json)
