"""Options that several commands share, and how they become the library's options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer
from typer.core import TyperCommand

from cyano.errors import InputError

if TYPE_CHECKING:
    from cyano.options import MatcherOptions

__all__ = [
    "AsJson",
    "Device",
    "EstimatorName",
    "EstimatorOption",
    "FoldedResize",
    "KeypointThreshold",
    "MatchThreshold",
    "MaxKeypoints",
    "MaxLines",
    "NmsRadius",
    "Precision",
    "PrecisionName",
    "Resize",
    "Rotations",
    "RotationsName",
    "Seed",
    "SinkhornIterations",
    "Weights",
    "checked_device",
    "line_limit",
    "matcher_options",
    "usage_errors",
]

MATCHING = "Matching"
MODELS = "Geometry"

PrecisionName: TypeAlias = Literal["float32", "mixed", "bfloat16"]
RotationsName: TypeAlias = Literal["off", "auto"]
EstimatorName: TypeAlias = Literal["poselib", "opencv"]

_OF_WEIGHTS = "as the weights say"

Device = Annotated[
    str, typer.Option(help="auto (the GPU if there is one), cpu, cuda or cuda:N.", rich_help_panel=MATCHING)
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="A folder, a .pth file, or owner/name on the Hugging Face hub; see cyano weights list.",
        show_default="cyano-small",
        metavar="NAME|PATH",
        rich_help_panel=MATCHING,
    ),
]
Precision = Annotated[
    PrecisionName,
    typer.Option(
        help="mixed (descriptors and matcher in bfloat16) and bfloat16 (all) are faster on processors made for it.",
        rich_help_panel=MATCHING,
    ),
]
Resize = Annotated[
    list[int] | None,
    typer.Option(
        metavar="W [H]",
        help="Size for the networks: the longest side, or width and height, or -1 to leave images as they are.",
        show_default="640, smaller images as they are",
        rich_help_panel=MATCHING,
    ),
]
MaxKeypoints = Annotated[
    int | None,
    typer.Option(help="Per image, the strongest; -1 for all.", show_default=_OF_WEIGHTS, rich_help_panel=MATCHING),
]
KeypointThreshold = Annotated[
    float | None,
    typer.Option(
        help="Least score of a keypoint; 0 keeps all up to --max-keypoints.",
        show_default=_OF_WEIGHTS,
        rich_help_panel=MATCHING,
    ),
]
NmsRadius = Annotated[
    int | None,
    typer.Option(
        help="Least distance of keypoints, in resized pixels.",
        show_default=_OF_WEIGHTS,
        rich_help_panel=MATCHING,
    ),
]
MatchThreshold = Annotated[
    float | None,
    typer.Option(help="Least probability of a match.", show_default=_OF_WEIGHTS, rich_help_panel=MATCHING),
]
SinkhornIterations = Annotated[
    int | None,
    typer.Option(help="Iterations of the optimal transport.", show_default=_OF_WEIGHTS, rich_help_panel=MATCHING),
]
Rotations = Annotated[
    RotationsName,
    typer.Option(
        help="auto also tries the second image turned by 90, 180 and 270 degrees when matches are few.",
        rich_help_panel=MATCHING,
    ),
]
NoAlign = Annotated[
    bool,
    typer.Option(
        "--no-align",
        help="Leave matched keypoints where the detector found them in each image, the same in all pairs.",
        rich_help_panel=MATCHING,
    ),
]
MaxLines = Annotated[
    int,
    typer.Option(help="Matches drawn at most, spread over the picture; -1 for all.", rich_help_panel="Output"),
]
NoStretch = Annotated[
    bool,
    typer.Option(
        "--no-stretch",
        help="Leave 16-bit pictures dark that use a small part of their range, as those of 12-bit and thermal cameras.",
        rich_help_panel=MATCHING,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and all else on stderr.")]
EstimatorOption = Annotated[
    EstimatorName,
    typer.Option(
        help="PoseLib's LO-RANSAC or OpenCV's MAGSAC++; numbers of the two do not compare.",
        rich_help_panel=MODELS,
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the random sampling.", rich_help_panel=MODELS)]


class FoldedResize(TyperCommand):
    """A command whose `--resize` takes one number or two, as the original program's does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments after `--resize 640 480` became `--resize 640 --resize 480`."""
        return super().parse_args(ctx, fold_resize(args))


def fold_resize(args: Sequence[str]) -> list[str]:
    """Repeat `--resize` before each further whole number that follows it."""
    folded: list[str] = []
    inside = False  # whether the arguments just before are --resize and numbers
    for index, argument in enumerate(args):
        if argument == "--":
            return folded + list(args[index:])
        is_number = re.fullmatch(r"-?\d+", argument) is not None
        if inside and is_number and folded[-1] != "--resize":
            folded.append("--resize")
        folded.append(argument)
        inside = argument.split("=")[0] == "--resize" or (inside and is_number)
    return folded


@contextmanager
def usage_errors() -> Iterator[None]:
    """Options that the library refuses are a wrong use of the command line: exit code 2."""
    try:
        yield
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def matcher_options(
    resize: list[int] | None,
    max_keypoints: int | None = None,
    keypoint_threshold: float | None = None,
    nms_radius: int | None = None,
    match_threshold: float | None = None,
    sinkhorn_iterations: int | None = None,
    precision: PrecisionName = "float32",
    rotations: RotationsName = "off",
    *,
    align: bool = True,
    stretch: bool = True,
) -> MatcherOptions:
    """The library's options from those of the command line; None and [] leave the library's defaults.

    Raises:
        typer.BadParameter: a value is out of its range.
    """
    from cyano.options import MatcherOptions
    from cyano.processing.resize import ResizeRule

    with usage_errors():
        return MatcherOptions(
            resize=ResizeRule.from_flags(resize) if resize else ResizeRule(),
            max_keypoints=max_keypoints,
            keypoint_threshold=keypoint_threshold,
            nms_radius=nms_radius,
            match_threshold=match_threshold,
            sinkhorn_iterations=sinkhorn_iterations,
            precision=precision,
            rotations=rotations,
            align=align,
            stretch=stretch,
        )


def line_limit(max_lines: int) -> int | None:
    """The most lines that a picture draws; None for all.

    Raises:
        typer.BadParameter: a number below -1.
    """
    if max_lines < -1:
        raise typer.BadParameter(f"--max-lines is -1 for all matches, or a number from 0 up, not {max_lines}")
    return None if max_lines == -1 else max_lines


def checked_device(name: str) -> str:
    """The device that a name means on this machine.

    Raises:
        typer.BadParameter: there is no such device.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise typer.BadParameter(f"--device is auto, cpu, cuda or cuda:N, not {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise typer.BadParameter(f"--device is auto, cpu, cuda or cuda:N, not {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise typer.BadParameter(f"--device {name}: PyTorch finds no such GPU here; use --device cpu")
    return str(device)
