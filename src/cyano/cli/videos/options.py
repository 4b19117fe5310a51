"""What `cyano video` and `cyano live` take, the original demo's flags among it, as the library's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from cyano.cli import arguments as shared
from cyano.cli.command import Command
from cyano.cli.output import busy

if TYPE_CHECKING:
    from cyano.matcher import Matcher
    from cyano.options import MatcherOptions
    from cyano.tracking import Tracker
    from cyano.video import SourceOptions

__all__ = ["Loaded", "SourceCommand", "load_matcher", "named_weights", "source_name", "source_options", "tracker_of"]

SOURCE = "Source"
TRACKING = "Tracking"

SourceName = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="A movie, a folder of images, a pattern such as 'frames/*.png', a camera (0, /dev/video0), a stream "
        "(rtsp://...), or - for names of images on standard input.",
        show_default=False,
    ),
]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="SOURCE", help="The same as SOURCE.", show_default=False, rich_help_panel=SOURCE),
]
Every = Annotated[
    int,
    typer.Option(
        "--every", "--skip", min=1, help="Take every N-th frame, counted from frame 0.", rich_help_panel=SOURCE
    ),
]
MaxLength = Annotated[
    int | None,
    typer.Option(min=1, help="Maximum number of frames.", show_default="all", rich_help_panel=SOURCE),
]
ImageGlob = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Patterns of the image names in a folder, such as '*.png'; several may follow.",
        show_default="all images",
        rich_help_panel=SOURCE,
    ),
]
Start = Annotated[float, typer.Option(metavar="SECONDS", help="Skip the frames before.", rich_help_panel=SOURCE, min=0)]
End = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Skip the frames after.", show_default="to the end", rich_help_panel=SOURCE, min=0
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        help="Images per second, if SOURCE is images, which have no times.",
        show_default="unknown",
        rich_help_panel=SOURCE,
    ),
]
MaxFps = Annotated[
    float | None,
    typer.Option(help="Maximum number of frames per second.", show_default="all", rich_help_panel=SOURCE),
]
Newest = Annotated[
    bool | None,
    typer.Option(
        "--realtime/--every-frame",
        help="From a camera or stream, take the newest frame and drop older ones; --every-frame takes all.",
        show_default="--realtime",
        rich_help_panel=SOURCE,
    ),
]
AnchorName = Annotated[
    str,
    typer.Option(
        metavar="first|previous|keyframe|IMAGE",
        help="What frames are matched with: the first frame, the one before, a keyframe that is replaced when too "
        "few of its matches remain, or an image file.",
        rich_help_panel=TRACKING,
    ),
]
MinMatches = Annotated[
    int,
    typer.Option(
        min=1, help="With fewer matches a frame is not tracked, and the keyframe is replaced.", rich_help_panel=TRACKING
    ),
]
MaxGap = Annotated[
    int,
    typer.Option(
        min=0,
        help="Maximum number of consecutive frames with too few matches before tracks end.",
        rich_help_panel=TRACKING,
    ),
]
SuperGlueName = Annotated[
    Literal["indoor", "outdoor"] | None,
    typer.Option(
        help="Magic Leap's weights from the Hugging Face hub (non-commercial research only); -w does the same.",
        rich_help_panel=shared.MATCHING,
    ),
]
VideoWeights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        "-w",
        help="A folder, a .pth file, or owner/name on the Hugging Face hub; see `cyano weights list`.",
        show_default="cyano-tiny if installed, else cyano-small",
        metavar="NAME|PATH",
        rich_help_panel=shared.MATCHING,
    ),
]
ForceCpu = Annotated[
    bool, typer.Option("--force-cpu", help="The same as --device cpu.", rich_help_panel=shared.MATCHING)
]
ShowKeypoints = Annotated[
    bool, typer.Option("--show-keypoints", help="Also draw unmatched keypoints.", rich_help_panel=shared.OUTPUT)
]


class SourceCommand(Command):
    """A command whose `--image-glob` takes several patterns, as the original program's does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments after `--image-glob *.png *.jpg` became `--image-glob *.png --image-glob *.jpg`."""
        return super().parse_args(ctx, _fold_globs(args))


def _fold_globs(args: Sequence[str]) -> list[str]:
    folded: list[str] = []
    inside = False
    for argument in args:
        option = argument.replace("_", "-")
        if inside and folded[-1] != "--image-glob" and any(each in argument for each in "*?["):
            folded.append("--image-glob")
        folded.append("--image-glob" if option == "--image-glob" else argument)
        inside = option == "--image-glob" or (inside and not argument.startswith("-"))
    return folded


def source_name(source: str | None, given: str | None) -> str:
    """The source, which is given once.

    Raises:
        typer.BadParameter: it is given twice, or not at all.
    """
    if source is not None and given is not None:
        raise typer.BadParameter(f"the source is {source} or --input {given}; give one of them")
    name = source if given is None else given
    if name is None:
        raise typer.BadParameter("name a SOURCE: a movie, a folder of images, a camera such as 0, or a stream")
    return name


def source_options(
    *,
    every: int,
    max_length: int | None,
    image_glob: Sequence[str] | None,
    start: float = 0.0,
    end: float | None = None,
    fps: float | None = None,
    max_fps: float | None = None,
    newest: bool | None = None,
) -> SourceOptions:
    """Which frames are taken.

    Raises:
        typer.BadParameter: a value is out of its range.
    """
    from cyano.video import SourceOptions

    with shared.usage_errors():
        return SourceOptions(
            every=every,
            start=start,
            end=end,
            max_frames=max_length,
            globs=tuple(image_glob or ()),
            fps=fps,
            max_fps=max_fps,
            newest=newest,
        )


@dataclass(frozen=True, eq=False)
class Loaded:
    """A matcher, and weights and options in force for the record."""

    matcher: Matcher
    record: dict[str, Any]


def named_weights(superglue: str | None, weights: str | None) -> str | None:
    """The weights that are named; None for none.

    Raises:
        typer.BadParameter: two are.
    """
    if superglue is not None and weights is not None:
        raise typer.BadParameter("--superglue and --weights both name weights; give one of them")
    return weights if superglue is None else f"magic-leap-community/superglue_{superglue}"


def load_matcher(
    superglue: str | None, weights: str | None, options: MatcherOptions, device: str, force_cpu: bool
) -> Loaded:
    """Load the networks.

    Raises:
        WeightsError: they cannot be loaded.
        typer.BadParameter: two are wanted, or there is no such device.
    """
    name = named_weights(superglue, weights)
    place = shared.checked_device("cpu" if force_cpu else device)
    with busy("loading the networks"):
        from cyano.checkpoints import load
        from cyano.checkpoints.catalogue import for_live
        from cyano.evaluation.provenance import matching_record
        from cyano.matcher import Matcher

        networks = load(for_live(name))
        matcher = Matcher(networks, options, device=place)
        return Loaded(matcher, dict(matching_record(matcher, networks, options.resize)))


def tracker_of(matcher: Matcher, anchor: str, min_matches: int, max_gap: int) -> Tracker:
    """A tracker with the anchor that is wanted.

    Raises:
        InputError: the anchor is a file, and it is no image.
    """
    from cyano.tracking import Tracker
    from cyano.tracking.anchors import named_anchor
    from cyano.tracking.options import Anchor

    if anchor not in get_args(Anchor):
        shared.existing_file(Path(anchor), "--anchor, which is first, previous, keyframe or an image,")
    options, image = named_anchor(anchor, min_matches, max_gap)
    return Tracker(matcher, options, image)
