"""The files that `cyano match` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.cli import report
from cyano.cli.report import CORRECT_PX, MatchedPair
from cyano.errors import InputError
from cyano.geometry import RobustEstimate, warp_image
from cyano.viz import MatchStyle, OverlayMode, overlay_image
from cyano.viz.encoding import FIGURE_FORMATS, IMAGE_FORMATS, figure_bytes, image_bytes

__all__ = ["JSON_NAME", "PICTURE_NAME", "Outputs"]

PICTURE_NAME = "matches.png"
JSON_NAME = "matches.json"


@dataclass(frozen=True)
class Outputs:
    """Which files to write; None for those not asked for.

    Attributes:
        picture: both images with their matches.
        json_file: everything that `cyano.cli.report.to_dict` tells.
        npz: all keypoints and the assignment.
        registered: image 1 in the frame of image 0.
        overlay: what `registered` shows.

    Raises:
        typer.BadParameter: an ending is not known, a file is a folder, or the overlay has nowhere to go.
    """

    picture: Path | None = None
    json_file: Path | None = None
    npz: Path | None = None
    registered: Path | None = None
    overlay: OverlayMode | None = None

    def __post_init__(self) -> None:
        _check_ending("--picture", self.picture, FIGURE_FORMATS)
        _check_ending("--registered", self.registered, tuple(IMAGE_FORMATS))
        for path in self._files():
            if path.is_dir():
                raise typer.BadParameter(f"{path} is a folder; give the name of a file")
        if self.overlay is not None and self.registered is None:
            raise typer.BadParameter("--overlay says what --registered shows; add --registered out.png")

    def with_defaults(self, folder: Path | None, *, silent: bool) -> Outputs:
        """Add matches.png and matches.json, in the current folder only if nothing else was asked for.

        Args:
            folder: where they are wanted, if that was said.
            silent: whether printing JSON is output enough.
        """
        if folder is None and (silent or self._files()):
            return self
        place = folder or Path()
        return replace(
            self, picture=self.picture or place / PICTURE_NAME, json_file=self.json_file or place / JSON_NAME
        )

    def refuse_clashes(self, *inputs: Path | None) -> None:
        """Refuse to write two files into one, or over an input.

        Raises:
            typer.BadParameter: naming the path.
        """
        taken = {os.path.realpath(path) for path in inputs if path is not None}  # takes links in a circle, too
        for path in self._files():
            if os.path.realpath(path) in taken:
                raise typer.BadParameter(f"{path} is an input or another output already; give each its own name")
            taken.add(os.path.realpath(path))

    def _files(self) -> list[Path]:
        """The paths that were asked for."""
        return [path for path in (self.picture, self.json_file, self.npz, self.registered) if path is not None]

    def write(self, pair: MatchedPair, models: Sequence[RobustEstimate] = ()) -> list[Path]:
        """Make the content of all files, then write them.

        Returns:
            The paths, as written.

        Raises:
            InputError: there is no homography to register by.
            OutputError: a file cannot be written.
        """
        contents: dict[Path, bytes] = {}
        if self.registered is not None:
            rgb = _registered(pair, models, self.overlay)
            contents[self.registered] = image_bytes(rgb, self.registered.suffix)
        if self.picture is not None:
            contents[self.picture] = _picture(pair, models, self.picture.suffix)
        if self.json_file is not None:
            text = json.dumps(report.to_dict(pair, models), indent=1, allow_nan=False)
            contents[self.json_file] = (text + "\n").encode()
        for path, content in contents.items():
            write_atomically(path, content)
        if self.npz is not None:
            pair.result.save_npz(self.npz)
        return [*contents, *([self.npz] if self.npz is not None else [])]


def _check_ending(flag: str, path: Path | None, known: tuple[str, ...]) -> None:
    if path is not None and path.suffix.lower().removeprefix(".") not in known:
        raise typer.BadParameter(f"{flag} ends in .{', .'.join(known)}; not {path.name!r}")


def _picture(pair: MatchedPair, models: Sequence[RobustEstimate], suffix: str) -> bytes:
    """The matches, coloured by their errors if known, by the last model that was found, else by score."""
    found = [model for model in models if model.ok]
    title = " : ".join(Path(image.name).name for image in (pair.result.image0, pair.result.image1))
    notes = tuple(model.message for model in models[-1:])
    style = MatchStyle(title=title, notes=notes, error_threshold=CORRECT_PX[0])
    inliers = found[-1].inliers if found else None
    return figure_bytes(pair.result.draw(inliers=inliers, errors=pair.errors, style=style), suffix)


def _registered(pair: MatchedPair, models: Sequence[RobustEstimate], overlay: OverlayMode | None) -> NDArray[np.uint8]:
    """Image 1 in the frame of image 0, alone or over it."""
    rgb0, rgb1 = pair.result.image0.rgb, pair.result.image1.rgb
    estimate = next(model for model in models if model.kind == "homography")
    if not estimate.ok or rgb0 is None or rgb1 is None:
        raise InputError(f"--registered: the images cannot be registered: {estimate.message}")
    warped, covered = warp_image(rgb1, estimate.matrix, pair.result.image0.size)
    return warped if overlay is None else overlay_image(rgb0, warped, covered, overlay)
