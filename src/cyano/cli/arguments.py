"""Options that several commands share, and how they become the library's options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from cyano.errors import InputError

if TYPE_CHECKING:
    from cyano.options import MatcherOptions

__all__ = [
    "AsJson",
    "Device",
    "EstimatorName",
    "EstimatorOption",
    "KeypointThreshold",
    "Layers",
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
    "Views",
    "ViewsName",
    "Weights",
    "checked_device",
    "existing_file",
    "existing_folder",
    "line_limit",
    "matcher_options",
    "usage_errors",
]

MATCHING = "Matching"
MODELS = "Geometry"
OUTPUT = "Output"

PrecisionName: TypeAlias = Literal["float32", "mixed", "bfloat16"]
RotationsName: TypeAlias = Literal["off", "auto"]
ViewsName: TypeAlias = Literal["off", "auto"]
EstimatorName: TypeAlias = Literal["poselib", "opencv"]

_OF_WEIGHTS = {
    "max_keypoints": (1024, 512),
    "keypoint_threshold": (1e-6, 1e-6),
    "nms_radius": (4, 4),
    "match_threshold": (0.2, 0.2),
    "sinkhorn": (50, 50),
}
"""The defaults of cyano-small and of cyano-tiny, which a test compares with their config.json."""


def _of_weights(name: str) -> str:
    small, tiny = _OF_WEIGHTS[name]
    return f"{small:g} with Cyano's weights" if small == tiny else f"{small:g}; {tiny:g} with cyano-tiny"


Device = Annotated[
    str, typer.Option(help="auto (the GPU if there is one), cpu, cuda or cuda:N.", rich_help_panel=MATCHING)
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        "-w",
        help="A folder, a .pth file, or owner/name on the Hugging Face hub; see `cyano weights list`.",
        show_default="cyano-small",
        metavar="NAME|PATH",
        rich_help_panel=MATCHING,
    ),
]
Precision = Annotated[
    PrecisionName,
    typer.Option(
        help="mixed runs the matcher in bfloat16: faster on processors with bfloat16 instructions. bfloat16 is the "
        "same on a CPU; on a GPU it also runs the detector in bfloat16.",
        rich_help_panel=MATCHING,
    ),
]
Resize = Annotated[
    list[int] | None,
    typer.Option(
        metavar="W [H]",
        help="Input size of the networks: longest side, or width and height (640 480 or 640x480); -1 keeps the "
        "original size.",
        show_default="640; smaller images are not resized",
        rich_help_panel=MATCHING,
    ),
]
MaxKeypoints = Annotated[
    int | None,
    typer.Option(
        help="Maximum number of keypoints per image, by score; -1 for all.",
        show_default=_of_weights("max_keypoints"),
        rich_help_panel=MATCHING,
    ),
]
KeypointThreshold = Annotated[
    float | None,
    typer.Option(
        help="Keypoint detection threshold; 0 keeps all up to --max-keypoints.",
        show_default=_of_weights("keypoint_threshold"),
        rich_help_panel=MATCHING,
    ),
]
NmsRadius = Annotated[
    int | None,
    typer.Option(
        help="NMS radius (px, resized image).", show_default=_of_weights("nms_radius"), rich_help_panel=MATCHING
    ),
]
MatchThreshold = Annotated[
    float | None,
    typer.Option(help="Match threshold.", show_default=_of_weights("match_threshold"), rich_help_panel=MATCHING),
]
SinkhornIterations = Annotated[
    int | None,
    typer.Option(help="Sinkhorn iterations.", show_default=_of_weights("sinkhorn"), rich_help_panel=MATCHING),
]
Layers = Annotated[
    int | None,
    typer.Option(
        help="Run only the first N layers of the matcher: faster, for weights that were trained for it, such as "
        "cyano-tiny.",
        show_default="all",
        rich_help_panel=MATCHING,
    ),
]
Rotations = Annotated[
    RotationsName,
    typer.Option(
        help="auto also tries image 1 rotated by 90, 180 and 270 degrees if there are few matches.",
        rich_help_panel=MATCHING,
    ),
]
Views = Annotated[
    ViewsName,
    typer.Option(
        help="auto also tries other views if there are few matches: both images at half size, then one of them "
        "compressed (as if seen from the side) or reduced. Takes seconds.",
        rich_help_panel=MATCHING,
    ),
]
NoAlign = Annotated[
    bool,
    typer.Option(
        "--no-align",
        help="No sub-pixel refinement of the matches: keypoints as detected.",
        rich_help_panel=MATCHING,
    ),
]
MaxLines = Annotated[
    int,
    typer.Option(help="Maximum number of matches drawn, spread over the image; -1 for all.", rich_help_panel=OUTPUT),
]
NoStretch = Annotated[
    bool,
    typer.Option(
        "--no-stretch",
        help="Do not stretch 16-bit images that use a small part of their range (12-bit and thermal cameras).",
        rich_help_panel=MATCHING,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout, everything else to stderr.")]
EstimatorOption = Annotated[
    EstimatorName,
    typer.Option(
        help="PoseLib (LO-RANSAC) or OpenCV (MAGSAC++). Results are not comparable between estimators.",
        rich_help_panel=MODELS,
    ),
]
Seed = Annotated[int, typer.Option(help="Random seed of RANSAC.", rich_help_panel=MODELS)]


def existing_file(path: Path | None, what: str, folder_remedy: str = "") -> None:
    """Check that a file is there before anything heavy is loaded; None is no file.

    Args:
        path: of the file.
        what: the option or argument.
        folder_remedy: what to do instead where a folder was given.

    Raises:
        InputError: there is no such file, or it is a folder.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder, and {what} is a file{folder_remedy and '; ' + folder_remedy}")
    if not path.exists():
        raise InputError(f"{path}: there is no such file; check {what}")


def existing_folder(path: Path | None, what: str) -> None:
    """Check that a folder is there before anything heavy is loaded; None is no folder.

    Raises:
        InputError: there is no such folder, or it is a file.
    """
    if path is not None and not path.is_dir():
        known = f"{path} is a file, and {what} is a folder"
        raise InputError(known if path.exists() else f"{path}: there is no such folder; check {what}")


@contextmanager
def usage_errors() -> Iterator[None]:
    """Options that the library refuses are usage errors: exit code 2."""
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
    layers: int | None = None,
    *,
    precision: PrecisionName = "float32",
    rotations: RotationsName = "off",
    views: ViewsName = "off",
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
            layers=layers,
            precision=precision,
            rotations=rotations,
            views=views,
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
