"""`cyano match`: two images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import print_json

__all__ = ["HELP", "match"]

HELP = """Match two images: keypoints, correspondences, and the geometry that follows from them.

Prints a summary and writes A_B_matches.png and A_B_matches.json to the current folder, unless another output is \
named or --json is given. A is image 0 and B is image 1. Keypoints are (x, y) in pixels of the original images; \
(0, 0) is the centre of the top-left pixel.

\b
cyano match a.jpg b.jpg
cyano match a.jpg b.jpg -o results --homography
cyano match a.jpg b.jpg --pose --intrinsics0 1200,1200,960,540 --json > pose.json
cyano match plan.png photo.jpg --registered photo_on_plan.png --overlay blend
cyano match a.jpg b.jpg --npz matches.npz --max-keypoints 2048 --resize 1024

Exit codes: 0 done, also with few matches or no model (the summary says so); 1 error; 2 usage error."""

OverlayName = Literal["blend", "checkerboard", "anaglyph"]

OutDir = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        "--out-dir",
        metavar="DIR",
        help="Folder for A_B_matches.png and A_B_matches.json; created if missing.",
        show_default="the current folder, unless another output is named or --json is given",
        rich_help_panel=shared.OUTPUT,
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Picture of the matches (.png, .pdf, .svg, .jpg), coloured by score (red 0, yellow 0.5, green 1), or "
        "with a model by inliers (blue) and outliers (orange) of the last of homography, fundamental, pose.",
        rich_help_panel=shared.OUTPUT,
    ),
]
SaveJson = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Matches, models, options and weights as JSON.", rich_help_panel=shared.OUTPUT),
]
Npz = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="All keypoints and the assignment as a NumPy archive: keypoints0/1, keypoint_scores0/1, matches0/1 (-1: "
        "unmatched), matching_scores0/1, image_size0/1.",
        rich_help_panel=shared.OUTPUT,
    ),
]
Registered = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Image B warped into A by the homography. The matches go to A_B_matches.png in the same folder.",
        rich_help_panel=shared.OUTPUT,
    ),
]
Overlay = Annotated[
    OverlayName | None,
    typer.Option(help="What --registered shows: B over A instead of B alone.", rich_help_panel=shared.OUTPUT),
]
Homography = Annotated[
    bool, typer.Option("--homography", help="Estimate the homography from A to B (H).", rich_help_panel=shared.MODELS)
]
Fundamental = Annotated[
    bool,
    typer.Option("--fundamental", help="Estimate the fundamental matrix (F).", rich_help_panel=shared.MODELS),
]
Pose = Annotated[
    bool,
    typer.Option(
        "--pose",
        help="Estimate the relative pose from camera A to B (R, t); needs intrinsics or EXIF focal lengths.",
        rich_help_panel=shared.MODELS,
    ),
]
Intrinsics = Annotated[
    str | None,
    typer.Option(
        metavar="FX,FY,CX,CY",
        help="Intrinsics in pixels of the original image, or the 9 entries of K in row-major order, comma-separated.",
        rich_help_panel=shared.MODELS,
    ),
]
OneCamera = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL:P,P,...[@WxH]",
        help="Camera of both images with distortion, in COLMAP's models, order and pixels: SIMPLE_RADIAL:f,cx,cy,k.",
        show_default=False,
        rich_help_panel=shared.MODELS,
    ),
]
CamerasFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Cameras of folders and single images, as in `cyano reconstruct`.",
        show_default=False,
        rich_help_panel=shared.MODELS,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Inlier threshold (px, original images).",
        show_default="3 for a homography, 1 otherwise",
        rich_help_panel=shared.MODELS,
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Mask of the image's size; no keypoints where it is black.",
        rich_help_panel=shared.MATCHING,
    ),
]


def match(
    a: Annotated[Path, typer.Argument(metavar="A", help="The first image.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The second image.", show_default=False)],
    *,
    out_dir: OutDir = None,
    picture: Picture = None,
    save_json: SaveJson = None,
    npz: Npz = None,
    registered: Registered = None,
    overlay: Overlay = None,
    max_lines: shared.MaxLines = 250,
    homography: Homography = False,
    fundamental: Fundamental = False,
    pose: Pose = False,
    intrinsics0: Intrinsics = None,
    intrinsics1: Intrinsics = None,
    camera: OneCamera = None,
    cameras_file: CamerasFile = None,
    estimator: shared.EstimatorOption = "poselib",
    threshold: Threshold = None,
    seed: shared.Seed = 0,
    mask0: Mask = None,
    mask1: Mask = None,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    precision: shared.Precision = "float32",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    keypoint_threshold: shared.KeypointThreshold = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    sinkhorn_iterations: shared.SinkhornIterations = None,
    layers: shared.Layers = None,
    rotations: shared.Rotations = "off",
    views: shared.Views = "off",
    no_align: shared.NoAlign = False,
    no_stretch: shared.NoStretch = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, match, estimate, write; the help is `HELP`."""
    for image, name in ((a, "A"), (b, "B")):
        shared.existing_file(image, name, f"for a folder of images use `cyano reconstruct {image} --out DIR`")
    for mask, name in ((mask0, "--mask0"), (mask1, "--mask1")):
        shared.existing_file(mask, name)
    from cyano.cli.matching import match_outputs, models, report
    from cyano.evaluation.pair_lists.matched_pair import to_dict

    lines = shared.line_limit(max_lines)
    outputs = match_outputs.Outputs(picture, save_json, npz, registered, overlay, lines)
    outputs = outputs.with_defaults(out_dir, a, b, silent=as_json)
    outputs.refuse_clashes(a, b, mask0, mask1, cameras_file, weights)
    kinds = models.kinds(homography or registered is not None, fundamental, pose)
    entries = models.camera_entries((a, b), camera, cameras_file, pose=pose)
    wanted = models.ModelOptions.parsed(kinds, (intrinsics0, intrinsics1), threshold, estimator, seed, entries)
    detector, matcher = (max_keypoints, keypoint_threshold, nms_radius), (match_threshold, sinkhorn_iterations, layers)
    options = shared.matcher_options(
        resize,
        *detector,
        *matcher,
        precision=precision,
        rotations=rotations,
        views=views,
        align=not no_align,
        stretch=not no_stretch,
    )
    pair = report.match_images((a, b), weights, options, shared.checked_device(device), (mask0, mask1))
    result, found = models.estimate(pair.result, wanted)
    pair = replace(pair, result=result)
    written = outputs.write(pair, found)
    if as_json:
        print_json(to_dict(pair, found))
    report.print_report(pair, written, as_json, found)
