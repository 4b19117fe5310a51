"""Options by which a command on a collection selects its pairs, and how they become the library's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from cyano.cli.arguments import usage_errors

if TYPE_CHECKING:
    from cyano.pairs import PairOptions
    from cyano.retrieval import VladOptions

__all__ = [
    "Clusters",
    "LoopEvery",
    "MaxAngle",
    "MaxDistance",
    "MethodName",
    "MethodOption",
    "MinScore",
    "OfModelOption",
    "PairList",
    "Poses",
    "Quadratic",
    "TopK",
    "Window",
    "pair_options",
    "vlad_options",
]

PANEL = "Pairs"

MethodName: TypeAlias = Literal["exhaustive", "sequential", "retrieval", "spatial", "list"]

# All are None unless given: an option that the method does not read is refused rather than ignored.


def _method(default: str) -> Any:
    return typer.Option(
        "--pairs",
        help="Pair selection: all pairs, neighbours by name, image retrieval, neighbours by position (GPS or --poses), "
        "or a list (--pair-list).",
        show_default=default,
        rich_help_panel=PANEL,
    )


MethodOption = Annotated[MethodName | None, _method("exhaustive up to 100 images, then retrieval")]
OfModelOption = Annotated[MethodName | None, _method("most shared points, and nearest poses")]
Window = Annotated[
    int | None,
    typer.Option(metavar="N", help="sequential: number of following images.", show_default="10", rich_help_panel=PANEL),
]
Quadratic = Annotated[
    bool | None,
    typer.Option(
        "--quadratic",
        help="sequential: quadratic overlap, the images 1, 2, 4, ... 2^(window - 1) further on.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
LoopEvery = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="sequential: loop closure for every N-th image, by retrieval of --top-k images; 0 for none.",
        show_default="0",
        rich_help_panel=PANEL,
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="retrieval, spatial, loop closure: images that an image is paired with.",
        show_default="20",
        rich_help_panel=PANEL,
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="retrieval, loop closure: minimum cosine similarity of global descriptors.",
        show_default="no limit",
        rich_help_panel=PANEL,
    ),
]
MaxDistance = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="spatial: maximum distance in metres, or in the unit of --poses.",
        show_default="no limit",
        rich_help_panel=PANEL,
    ),
]
MaxAngle = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="spatial with COLMAP poses: maximum angle between viewing directions, in degrees.",
        show_default="no limit",
        rich_help_panel=PANEL,
    ),
]
Poses = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="spatial: COLMAP's images.txt, or lines of name x y z.",
        show_default="GPS in EXIF",
        rich_help_panel=PANEL,
    ),
]
PairList = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="list: one pair of names a line.", show_default=False, rich_help_panel=PANEL),
]
Clusters = Annotated[
    int,
    typer.Option(metavar="N", help="retrieval, loop closure: clusters of the VLAD codebook.", rich_help_panel=PANEL),
]


def pair_options(
    method: MethodName | None = None,
    *,
    window: int | None = None,
    quadratic: bool | None = None,
    loop_every: int | None = None,
    top_k: int | None = None,
    min_score: float | None = None,
    max_distance: float | None = None,
    max_angle: float | None = None,
    poses: Path | None = None,
    pair_list: Path | None = None,
) -> PairOptions | None:
    """The library's options from those of the command line; None leaves the library's default, also of the method.

    Raises:
        typer.BadParameter: an option does not belong to the method, is missing, or is out of its range.
    """
    from cyano.pairs import METHOD_OPTIONS, PairOptions

    values: dict[str, Any] = {"window": window, "quadratic": quadratic, "loop_every": loop_every, "top_k": top_k}
    values |= {"min_score": min_score, "max_distance": max_distance, "max_angle": max_angle}
    values |= {"poses": poses, "pair_list": pair_list}
    given = {name: value for name, value in values.items() if value is not None}
    if method is None:
        if given:
            flag = _flag(next(iter(given)))
            raise typer.BadParameter(f"{flag} goes with --pairs {_fitting(next(iter(given)))}; give --pairs as well")
        return None
    for name in given:
        if name not in METHOD_OPTIONS[method]:
            fact = f"{_flag(name)} has no effect with --pairs {method}"
            raise typer.BadParameter(f"{fact}; it goes with --pairs {_fitting(name)}")
    if method == "list" and pair_list is None:
        raise typer.BadParameter("--pairs list needs --pair-list FILE")
    if max_angle is not None and poses is None:
        raise typer.BadParameter("--max-angle needs --poses images.txt: EXIF has no viewing directions")
    if method == "sequential" and not loop_every and (top_k is not None or min_score is not None):
        raise typer.BadParameter("--top-k and --min-score go with --pairs sequential only if --loop-every is given")
    with usage_errors():
        return PairOptions(method, **given)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _fitting(name: str) -> str:
    """The methods that read an option."""
    from cyano.pairs import METHOD_OPTIONS

    return " or ".join(method for method, read in METHOD_OPTIONS.items() if name in read)


def vlad_options(clusters: int) -> VladOptions:
    """How images are described where the method compares them.

    Raises:
        typer.BadParameter: the number is out of its range.
    """
    from cyano.retrieval import VladOptions

    with usage_errors():
        return VladOptions(clusters=clusters)
