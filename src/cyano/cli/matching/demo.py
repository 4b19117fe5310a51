"""`cyano demo`: a first look, on a real pair whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import print_json

if TYPE_CHECKING:
    from cyano.evaluation.pair_lists.matched_pair import MatchedPair
    from cyano.options import MatcherOptions

__all__ = ["HELP", "demo"]

HELP = """Match a stereo pair and compare the matches with its ground-truth disparity, or match your own two images.

Writes matches.png and matches.json, or A_B_matches.png and A_B_matches.json for your own pair. The stereo pair is the \
motorcycle of the Middlebury benchmark, which comes with scikit-image (pip install ".\\[demo]"); its picture is \
coloured by error: green 0, yellow 3 px, red 6 px and more, grey without ground truth.

\b
cyano demo
cyano demo -o /tmp/demo
cyano demo a.jpg b.jpg

Exit codes: 0 done; 1 error; 2 usage error."""


def demo(
    a: Annotated[Path | None, typer.Argument(metavar="A", help="An image of yours.", show_default=False)] = None,
    b: Annotated[
        Path | None, typer.Argument(metavar="B", help="The image to match it with.", show_default=False)
    ] = None,
    *,
    out_dir: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            "--out-dir",
            metavar="DIR",
            help="Folder for the picture and the JSON file.",
            rich_help_panel=shared.OUTPUT,
        ),
    ] = Path(),
    weights: shared.Weights = None,
    device: shared.Device = "auto",
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    max_lines: shared.MaxLines = 250,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, match, judge, write; the help is `HELP`."""
    for image, name in ((a, "A"), (b, "B")):
        shared.existing_file(image, name)
    from cyano.cli.matching import report
    from cyano.cli.matching.match_outputs import JSON_NAME, PICTURE_NAME, Outputs, pair_names
    from cyano.evaluation.pair_lists.matched_pair import to_dict

    options, place = shared.matcher_options(resize, max_keypoints), shared.checked_device(device)
    names = (PICTURE_NAME, JSON_NAME) if a is None or b is None else pair_names(a, b)
    outputs = Outputs(out_dir / names[0], out_dir / names[1], max_lines=shared.line_limit(max_lines))
    outputs.refuse_clashes(a, b)
    if a is not None and b is not None:
        pair = report.match_images((a, b), weights, options, place)
    elif a is None:
        pair = _motorcycle(weights, options, place)
    else:
        raise typer.BadParameter("give two images, or none for the stereo pair of the demo")
    written = outputs.write(pair)
    if as_json:
        print_json(to_dict(pair))
    report.print_report(pair, written, as_json)


def _motorcycle(weights: str | None, options: MatcherOptions, device: str) -> MatchedPair:
    """The stereo pair, matched and judged."""
    from cyano.cli.matching.report import match_images
    from cyano.evaluation.demo_pair import load_demo_pair, stereo_errors

    scene = load_demo_pair()
    pair = match_images((scene.left, scene.right), weights, options, device)
    result = replace(
        pair.result,
        image0=replace(pair.result.image0, name="motorcycle, left"),
        image1=replace(pair.result.image1, name="motorcycle, right"),
    )
    errors = stereo_errors(result.keypoints0, result.keypoints1, scene.disparity)
    return replace(pair, result=result, errors=errors)
