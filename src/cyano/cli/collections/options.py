"""Options that the commands on a collection share, and how they become the library's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

import typer

from cyano.cli import arguments as shared
from cyano.cli.collections.camera_options import (
    MODEL,
    CameraModel,
    CameraParams,
    Cameras,
    CamerasFile,
    CameraSize,
    CamerasName,
    KeepCameras,
    OneCamera,
    camera_options,
)
from cyano.cli.output import busy
from cyano.errors import InputError

if TYPE_CHECKING:
    from cyano.collection import Collection, Run
    from cyano.engine import Recipe
    from cyano.formats import MappingOptions
    from cyano.progress import Watcher

__all__ = [
    "Address",
    "CameraModel",
    "CameraParams",
    "CameraSize",
    "Cameras",
    "CamerasFile",
    "CamerasName",
    "EngineName",
    "EngineOption",
    "Force",
    "Gpus",
    "Images",
    "KeepCameras",
    "Machines",
    "Mapper",
    "MapperName",
    "Masks",
    "NoAlign",
    "NoVerify",
    "OneCamera",
    "Out",
    "Retry",
    "Seed",
    "Settings",
    "Shard",
    "Starts",
    "Workers",
    "camera_options",
    "check_folders",
    "collection_of",
    "mapping_options",
    "recipe_of",
    "run_of",
]

WORK = "Work"

EngineName: TypeAlias = Literal["local", "ray"]
MapperName: TypeAlias = Literal["incremental", "global"]

Images = Annotated[
    Path, typer.Argument(metavar="IMAGES", help="Folder of images, searched recursively.", show_default=False)
]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder of the results; created if missing.", show_default=False, metavar="DIR"),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR|FILE",
        help="Masks, black where no keypoints are wanted: for photos/a/1.jpg DIR/a/1.jpg.png, or DIR/a/mask.png or "
        "DIR/mask.png for all images of a folder. An image file is the mask of all images; a text file has lines NAME "
        "MASK, where FOLDER/* is a whole folder.",
        show_default=False,
        rich_help_panel=shared.MATCHING,
    ),
]
NoVerify = Annotated[
    bool,
    typer.Option(
        "--no-verify",
        help="Skip geometric verification; COLMAP can do it in its database.",
        rich_help_panel=shared.MATCHING,
    ),
]
Mapper = Annotated[
    MapperName,
    typer.Option(help="Incremental or global structure from motion.", rich_help_panel=MODEL),
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Random seed of the mapper.", rich_help_panel=MODEL)]
Starts = Annotated[
    int,
    typer.Option(
        min=1,
        help="Maximum number of mapping attempts if the model lacks images or is doubtful; the best is kept.",
        rich_help_panel=MODEL,
    ),
]
NoAlign = Annotated[
    bool,
    typer.Option(
        "--no-align",
        help="No sub-pixel refinement of keypoints over the images of a track.",
        rich_help_panel=MODEL,
    ),
]
EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="This process or a Ray cluster.", rich_help_panel=WORK)
]
Address = Annotated[
    str | None,
    typer.Option(help="ray: address of a running cluster.", show_default="one on this machine", rich_help_panel=WORK),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="ray: number of workers.", show_default="as many as the cluster has room for", rich_help_panel=WORK
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(help="ray: GPUs per worker; a fraction shares one.", show_default="1 on cuda", rich_help_panel=WORK),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Do only part I of N (0/N to N-1/N), for N independent jobs.",
        show_default=False,
        rich_help_panel=WORK,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        "--force",
        help="Start again if results of other options exist, and replace files that this folder's runs did not write.",
        rich_help_panel=WORK,
    ),
]
Retry = Annotated[
    bool, typer.Option("--retry", help="Retry images and pairs that failed before.", rich_help_panel=WORK)
]


class Machines(NamedTuple):
    """Where the work is done."""

    engine: EngineName = "local"
    address: str | None = None
    workers: int | None = None
    gpus: float | None = None


class Settings(NamedTuple):
    """What decides features, and with them all that follows."""

    weights: str | None
    device: str
    resize: list[int] | None
    max_keypoints: int | None
    masks: Path | None
    nms_radius: int | None = None
    match_threshold: float | None = None
    precision: shared.PrecisionName = "float32"


def check_folders(images: Path, masks: Path | None) -> None:
    """Check that the folders are there, before anything heavy is loaded.

    Raises:
        InputError: one of them is not.
    """
    shared.existing_folder(images, "IMAGES")
    if masks is not None and not masks.exists():
        raise InputError(f"{masks}: there is no such folder or file; masks are a folder or one image")


def recipe_of(settings: Settings, *, align: bool = True) -> Recipe:
    """Networks and options, loaded.

    Args:
        settings: that decide features and matches.
        align: matches of two images; see `MatcherOptions`.

    Raises:
        typer.BadParameter: a value is out of its range.
        CyanoError: the weights cannot be loaded, or there are no masks.
    """
    weights, device, resize, max_keypoints, masks, nms_radius, match_threshold, precision = settings
    options = shared.matcher_options(
        resize, max_keypoints, nms_radius=nms_radius, match_threshold=match_threshold, precision=precision, align=align
    )
    place = shared.checked_device(device)
    with busy("loading"):
        from cyano.checkpoints import load
        from cyano.engine import Recipe

        return Recipe(load(weights), options, place, None if masks is None else masks.absolute())


def collection_of(images: Path, out: Path, settings: Settings, *, verify: bool = True) -> Collection:
    """The collection that the options describe, with its networks loaded.

    Raises:
        typer.BadParameter: a value is out of its range.
        CyanoError: the weights cannot be loaded, or the folders do not fit.
    """
    recipe = recipe_of(settings)
    from cyano.collection import Collection
    from cyano.collection.folder import VERIFICATION

    return Collection(images, out, recipe, VERIFICATION if verify else None)


def mapping_options(mapper: MapperName, seed: int, starts: int, *, keep_cameras: bool) -> MappingOptions:
    """How the database becomes a model."""
    from cyano.formats import MappingOptions

    return MappingOptions(mapper, keep_cameras, seed, starts)


def run_of(
    watcher: Watcher, machines: Machines, device: str, shard: str | None = None, *, force: bool, retry: bool
) -> Run:
    """How the stages are run.

    Raises:
        typer.BadParameter: options that do not fit together, or out of their range.
    """
    from cyano.collection import Run
    from cyano.engine import LocalEngine, RayEngine, Share

    given = [f"--{name}" for name in ("address", "workers", "gpus") if getattr(machines, name) is not None]
    if machines.engine == "local" and given:
        raise typer.BadParameter(f"{given[0]} goes with --engine ray")
    with shared.usage_errors():
        share = None if shard is None else Share.parse(shard)
        if machines.engine == "local":
            return Run(LocalEngine(), share, force, retry, watcher)
        default = 0.0 if shared.checked_device(device) == "cpu" else 1.0
        gpus = default if machines.gpus is None else machines.gpus
        return Run(RayEngine(machines.address, machines.workers, gpus=gpus), share, force, retry, watcher)
