"""`cyano pairs`: the program match_pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import busy

__all__ = ["HELP", "pairs"]

HELP = """Match the image pairs of a list and evaluate them: SuperGlue's match_pairs.py, with its options and files.

A line of the list is name0 name1 \\[turns0 turns1 \\[K0 (9 numbers) K1 (9) T_0to1 (16)]], in row-major order; turns \
are clockwise rotations by 90 degrees that set the image upright.

Each pair gives STEM0_STEM1_matches.npz: keypoints0 and keypoints1 in pixels of the resized images, matches (-1: none) \
and match_confidence; also keypoints0_original and keypoints1_original in pixels of the image files. --eval adds \
STEM0_STEM1_evaluation.npz and prints the table. Pairs with equal stems are named by their whole paths. run.json \
records the options; results of different options are never mixed. Options may be spelled with underscores.

\b
cyano pairs --input-pairs pairs.txt -o out
cyano pairs --input-pairs pairs.txt --resize 1600 --superglue outdoor --max-keypoints 2048 --nms-radius 3 --eval
cyano pairs --input-pairs pairs.txt --viz --fast-viz --cache

Exit codes: 0 done; 1 error; 2 usage error; 3 some pairs failed (each is reported) and the rest is done."""

FILES = "Files"
PICTURES = "Pictures"
ORIGINAL_PAIRS = "assets/scannet_sample_pairs_with_gt.txt"
ORIGINAL_IMAGES = "assets/scannet_sample_images"
"""What the original program matches unless told otherwise; its repository has these files, Cyano's has not."""

ORIGINAL_RESIZE = (640, 480)
"""Width and height that the original program resizes to unless told otherwise."""


ExtensionName: TypeAlias = Literal["png", "pdf"]
InputPairs = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="The list of pairs.",
        show_default=f"{ORIGINAL_PAIRS}, as in the original",
        rich_help_panel=FILES,
    ),
]
InputDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of the images.",
        show_default=f"the folder of the list; {ORIGINAL_IMAGES} without --input-pairs",
        rich_help_panel=FILES,
    ),
]
OutputDir = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        "--output-dir",
        metavar="DIR",
        help="Folder of the results; created if missing.",
        rich_help_panel=FILES,
    ),
]
MaxLength = Annotated[int, typer.Option(help="Maximum number of pairs; -1 for all.", rich_help_panel=FILES)]
Shuffle = Annotated[bool, typer.Option("--shuffle", help="Shuffle the list with --seed.", rich_help_panel=FILES)]
Cache = Annotated[
    bool,
    typer.Option("--cache", help="Reuse existing results of the same options and images.", rich_help_panel=FILES),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace results of other options, or of other pairs with the same file names.",
        rich_help_panel=FILES,
    ),
]
Eval = Annotated[
    bool,
    typer.Option("--eval", help="Evaluate against the ground truth in the list.", rich_help_panel=shared.MODELS),
]
Threshold = Annotated[
    float,
    typer.Option(help="Inlier threshold (px, resized images).", rich_help_panel=shared.MODELS),
]
Viz = Annotated[bool, typer.Option("--viz", help="Draw the matches of each pair.", rich_help_panel=PICTURES)]
FastViz = Annotated[
    bool,
    typer.Option(
        "--fast-viz", help="Smaller pictures: the images as resized for the networks.", rich_help_panel=PICTURES
    ),
]
ShowKeypoints = Annotated[
    bool,
    typer.Option("--show-keypoints", help="Also draw unmatched keypoints.", rich_help_panel=PICTURES),
]
VizExtension = Annotated[ExtensionName, typer.Option(help="File format of the pictures.", rich_help_panel=PICTURES)]
SuperGlueName = Annotated[
    Literal["indoor", "outdoor"] | None,
    typer.Option(
        help="Magic Leap's weights from the Hugging Face hub (non-commercial research only); -w does the same.",
        rich_help_panel=shared.MATCHING,
    ),
]
Resize = Annotated[
    list[int] | None,
    typer.Option(
        metavar="W [H]",
        help="Input size of the networks: width and height, or longest side; -1 keeps the original size.",
        show_default="640 480",
        rich_help_panel=shared.MATCHING,
    ),
]
ResizeFloat = Annotated[
    bool,
    typer.Option(
        "--resize-float",
        help="No effect: images are always resized in floating point.",
        rich_help_panel=shared.MATCHING,
    ),
]
MaxKeypoints = Annotated[
    int, typer.Option(help="Maximum number of keypoints per image; -1 for all.", rich_help_panel=shared.MATCHING)
]
NmsRadius = Annotated[
    int,
    typer.Option(help="NMS radius (px, resized image).", rich_help_panel=shared.MATCHING),
]
SinkhornIterations = Annotated[int, typer.Option(help="Sinkhorn iterations.", rich_help_panel=shared.MATCHING)]
ForceCpu = Annotated[
    bool, typer.Option("--force-cpu", help="The same as --device cpu.", rich_help_panel=shared.MATCHING)
]


def pairs(
    *,
    input_pairs: InputPairs = Path(ORIGINAL_PAIRS),
    input_dir: InputDir = None,
    output_dir: OutputDir = Path("dump_match_pairs"),
    max_length: MaxLength = -1,
    shuffle: Shuffle = False,
    cache: Cache = False,
    overwrite: Overwrite = False,
    evaluate: Eval = False,
    estimator: shared.EstimatorOption = "poselib",
    threshold: Threshold = 1.0,
    seed: shared.Seed = 0,
    viz: Viz = False,
    fast_viz: FastViz = False,
    show_keypoints: ShowKeypoints = False,
    viz_extension: VizExtension = "png",
    max_lines: shared.MaxLines = 250,
    superglue: SuperGlueName = None,
    weights: shared.Weights = None,
    resize: Resize = None,
    resize_float: ResizeFloat = False,
    max_keypoints: MaxKeypoints = 1024,
    keypoint_threshold: shared.KeypointThreshold = None,
    nms_radius: NmsRadius = 4,
    sinkhorn_iterations: SinkhornIterations = 20,
    match_threshold: shared.MatchThreshold = None,
    precision: shared.Precision = "float32",
    rotations: shared.Rotations = "off",
    views: shared.Views = "off",
    no_align: shared.NoAlign = False,
    no_stretch: shared.NoStretch = False,
    device: shared.Device = "auto",
    force_cpu: ForceCpu = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, run the list, print the table; the help is `HELP`."""
    shared.existing_file(input_pairs, "--input-pairs")
    shared.existing_folder(input_dir, "--input-dir")
    with busy("loading"):
        from cyano.cli.matching import pairs_run

    detector, matcher = (max_keypoints, keypoint_threshold, nms_radius), (match_threshold, sinkhorn_iterations)
    matching = shared.matcher_options(
        resize or list(ORIGINAL_RESIZE),
        *detector,
        *matcher,
        precision=precision,
        rotations=rotations,
        views=views,
        align=not no_align,
        stretch=not no_stretch,
    )
    pictures = pairs_run.picture_options(viz, fast_viz, show_keypoints, viz_extension, shared.line_limit(max_lines))
    robust = pairs_run.robust_options(evaluate, estimator, threshold, seed)
    place = shared.checked_device(pairs_run.device_name(device, force_cpu))
    folder = input_dir or (Path(ORIGINAL_IMAGES) if input_pairs == Path(ORIGINAL_PAIRS) else input_pairs.parent)
    with shared.usage_errors():
        options = pairs_run.MatchPairsOptions(
            folder, output_dir, matching, place, robust, pictures, cache, overwrite, input_pairs
        )
    listed = pairs_run.selected(input_pairs, max_length, seed if shuffle else None)
    report = pairs_run.run(listed, pairs_run.weights_name(superglue, weights), options)
    pairs_run.tell(report, options, as_json)
