"""Options that say what is known of the cameras of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from cyano.cli import arguments as shared

if TYPE_CHECKING:
    from cyano.formats import CameraEntry, CameraOptions
    from cyano.types import ImageSize

__all__ = [
    "MODEL",
    "CameraModel",
    "CameraParams",
    "CameraSize",
    "Cameras",
    "CamerasFile",
    "CamerasName",
    "KeepCameras",
    "OneCamera",
    "camera_entry",
    "camera_options",
]

MODEL = "Model"

CamerasName: TypeAlias = Literal["image", "folder", "all"]

Cameras = Annotated[
    CamerasName,
    typer.Option(
        help="Which images share intrinsics: none (image), those of a folder, or all.",
        rich_help_panel=MODEL,
    ),
]
OneCamera = Annotated[
    str | None,
    typer.Option(
        "--camera",
        metavar="MODEL:P,P,...[@WxH]",
        help="Camera of all images in one option, instead of --camera-model, --camera-params and --camera-size: "
        "PINHOLE:1400,1400,960,540@1920x1080.",
        show_default=False,
        rich_help_panel=MODEL,
    ),
]
CameraModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Camera model, by COLMAP's name.", show_default="SIMPLE_RADIAL", rich_help_panel=MODEL
    ),
]
CameraParams = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Intrinsics of all images, in COLMAP's order and pixels of the original images: for PINHOLE fx,fy,cx,cy. "
        "They are scaled for images of other sizes, and rotated for images with an EXIF orientation.",
        show_default="focal length from EXIF, or from the matches",
        rich_help_panel=MODEL,
    ),
]
CameraSize = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT",
        help="Size of the images that --camera-params are for.",
        show_default="the image size whose centre is nearest to the principal point",
        rich_help_panel=MODEL,
    ),
]
CamerasFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Cameras of folders and single images: lines NAME MODEL WIDTH HEIGHT PARAMS, as in hloc's query lists, "
        "where FOLDER/* is a whole folder; COLMAP's cameras.txt; or TOML tables [[cameras]] with images, model, "
        "params and size.",
        show_default=False,
        rich_help_panel=MODEL,
    ),
]
KeepCameras = Annotated[
    bool,
    typer.Option(
        "--keep-cameras",
        help="Fix the intrinsics of --camera-params or --cameras-file; otherwise bundle adjustment refines them.",
        rich_help_panel=MODEL,
    ),
]


def camera_options(
    sharing: CamerasName,
    model: str | None,
    params: str | None,
    size: str | None,
    file: Path | None,
    *,
    keep_cameras: bool,
    camera: str | None = None,
) -> CameraOptions:
    """What is known of the cameras.

    Raises:
        typer.BadParameter: the parameters are not numbers, lack their model, or are to be kept and not given.
        InputError: they are not finite, or the file is no cameras file.
    """
    from cyano.formats import CameraOptions, read_cameras_file

    if camera is not None and (model, params, size) != (None, None, None):
        raise typer.BadParameter("--camera replaces --camera-model, --camera-params and --camera-size; give it alone")
    if params is None and camera is None and file is None and keep_cameras:
        raise typer.BadParameter("--keep-cameras goes with --camera, --camera-params or --cameras-file")
    if params is None and size is not None:
        raise typer.BadParameter("--camera-size is the size of the images that --camera-params are for; give both")
    if params is not None and model is None:
        raise typer.BadParameter("--camera-params are those of a --camera-model, for example PINHOLE; give both")
    try:
        numbers = () if params is None else tuple(float(each) for each in params.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"--camera-params takes numbers with commas between them, not {params!r}") from error
    listed = {} if file is None else read_cameras_file(file)
    if camera is not None:
        entry = camera_entry(camera, "--camera")
        return CameraOptions(entry.model, sharing, entry.params, size=entry.size, listed=listed)
    known = CameraOptions.model if model is None else model
    return CameraOptions(known, sharing, numbers, size=_picture_size(size), listed=listed)


def camera_entry(text: str, flag: str) -> CameraEntry:
    """The camera of MODEL:P,P,...[@WIDTHxHEIGHT] in COLMAP's order and pixels.

    Raises:
        typer.BadParameter: it is not understood, or no such camera.
    """
    from cyano.formats import CameraEntry

    words, _, size = text.partition("@")
    model, _, numbers = words.partition(":")
    try:
        params = tuple(float(number) for number in numbers.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"{flag} is MODEL:P,P,...[@WxH], such as PINHOLE:1400,1400,960,540@1920x1080, not {text!r}"
        ) from error
    with shared.usage_errors():
        return CameraEntry(model, params, _picture_size(size or None, flag))


def _picture_size(text: str | None, flag: str = "--camera-size") -> ImageSize | None:
    if text is None:
        return None
    from cyano.types import ImageSize

    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"the size of {flag} is WIDTHxHEIGHT in pixels, for example 4000x3000, not {text!r}")
    with shared.usage_errors():
        return ImageSize(int(height), int(width))
