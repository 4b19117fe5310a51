"""The files that `cyano match` writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from cyano.atomic import refuse_clashes, write_atomically
from cyano.cli.arguments import usage_errors
from cyano.concise import json_text
from cyano.errors import InputError
from cyano.evaluation.pair_lists.matched_pair import CORRECT_PX, MatchedPair, to_dict
from cyano.geometry import RobustEstimate, warp_image
from cyano.viz import MAX_LINES, MatchStyle, OverlayMode, overlay_image
from cyano.viz.encoding import FIGURE_FORMATS, IMAGE_FORMATS, figure_bytes, image_bytes

__all__ = ["JSON_NAME", "PICTURE_NAME", "Outputs", "pair_names"]

PICTURE_NAME = "matches.png"
JSON_NAME = "matches.json"
_LONGEST_STEM = 100
"""Bytes of an image's name that go into the name of a file; a file system takes 255 in all."""


def pair_names(a: Path, b: Path) -> tuple[str, str]:
    """What the picture and the JSON file of a pair are called: A_B_matches.png and A_B_matches.json."""
    stems = "_".join(_shortened(path.stem) for path in (a, b))
    return f"{stems}_{PICTURE_NAME}", f"{stems}_{JSON_NAME}"


def _shortened(stem: str) -> str:
    while len(os.fsencode(stem)) > _LONGEST_STEM:
        stem = stem[:-1]
    return stem


@dataclass(frozen=True)
class Outputs:
    """Which files to write; None for those not asked for.

    Attributes:
        picture: both images with their matches.
        json_file: everything that `cyano.evaluation.pair_lists.matched_pair.to_dict` tells.
        npz: all keypoints and the assignment.
        registered: image 1 in the frame of image 0.
        overlay: what `registered` shows.
        max_lines: the most matches that the picture draws; None for all.

    Raises:
        typer.BadParameter: an ending is not known, a file is a folder, or the overlay has nowhere to go.
    """

    picture: Path | None = None
    json_file: Path | None = None
    npz: Path | None = None
    registered: Path | None = None
    overlay: OverlayMode | None = None
    max_lines: int | None = MAX_LINES

    def __post_init__(self) -> None:
        _check_ending("--picture", self.picture, FIGURE_FORMATS)
        _check_ending("--registered", self.registered, tuple(IMAGE_FORMATS))
        for path in self._files():
            if path.is_dir():
                raise typer.BadParameter(f"{path} is a folder; give the name of a file")
        if self.overlay is not None and self.registered is None:
            raise typer.BadParameter("--overlay chooses how --registered is drawn; add --registered out.png")

    def with_defaults(self, folder: Path | None, a: Path, b: Path, *, silent: bool) -> Outputs:
        """Add the picture and the JSON file of the pair, in the current folder only if nothing else was asked for.

        A registered image gets the picture beside it in any case, since it shows whether to trust it.

        Args:
            folder: where they are wanted, if that was said.
            a: the first image, for the files' names.
            b: the second image.
            silent: whether printing JSON is output enough.

        Raises:
            typer.BadParameter: the folder is a file.
        """
        if folder is not None and folder.exists() and not folder.is_dir():
            raise typer.BadParameter(f"{folder} is a file, and --out is a folder; one picture is --picture {folder}")
        picture_name, json_name = pair_names(a, b)
        if folder is None and self.registered is not None:
            return replace(self, picture=self.picture or self.registered.with_name(picture_name))
        if folder is None and (silent or self._files()):
            return self
        place = folder or Path()
        return replace(
            self, picture=self.picture or place / picture_name, json_file=self.json_file or place / json_name
        )

    def refuse_clashes(self, *inputs: str | Path | None) -> None:
        """Refuse to write two files into one, or over an input.

        Raises:
            typer.BadParameter: naming the path.
        """
        with usage_errors():
            refuse_clashes([path for path in inputs if path is not None], self._files())

    def _files(self) -> list[Path]:
        """The paths that were asked for."""
        return [path for path in (self.picture, self.json_file, self.npz, self.registered) if path is not None]

    def write(self, pair: MatchedPair, models: Sequence[RobustEstimate] = ()) -> list[tuple[str, Path]]:
        """Make the content of all files, then write them.

        Returns:
            The paths, each with "written" or "replaced".

        Raises:
            InputError: there is no homography to register by.
            OutputError: a file cannot be written.
        """
        contents: dict[Path, bytes] = {}
        if self.registered is not None:
            rgb = _registered(pair, models, self.overlay)
            contents[self.registered] = image_bytes(rgb, self.registered.suffix)
        if self.picture is not None:
            contents[self.picture] = _picture(pair, models, self.picture.suffix, self.max_lines)
        if self.json_file is not None:
            contents[self.json_file] = json_text(to_dict(pair, models)).encode()
        paths = [*contents, *([self.npz] if self.npz is not None else [])]
        told = [("replaced" if path.exists() else "written", path) for path in paths]
        for path, content in contents.items():
            write_atomically(path, content)
        if self.npz is not None:
            pair.result.save_npz(self.npz)
        return told


def _check_ending(flag: str, path: Path | None, known: tuple[str, ...]) -> None:
    if path is not None and path.suffix.lower().removeprefix(".") not in known:
        raise typer.BadParameter(f"{flag} ends in .{', .'.join(known)}; not {path.name!r}")


def _picture(pair: MatchedPair, models: Sequence[RobustEstimate], suffix: str, max_lines: int | None) -> bytes:
    """The matches, coloured by their errors if known, by the last model that was found, else by score."""
    found = [model for model in models if model.ok]
    title = " : ".join(Path(image.name).name for image in (pair.result.image0, pair.result.image1))
    notes = tuple(model.message for model in models[-1:])
    style = MatchStyle(title=title, notes=notes, error_threshold=CORRECT_PX[0], max_lines=max_lines)
    inliers = found[-1].inliers if found else None
    if suffix.lower().removeprefix(".") in IMAGE_FORMATS:
        return image_bytes(pair.result.draw_image(inliers=inliers, errors=pair.errors, style=style), suffix)
    return figure_bytes(pair.result.draw(inliers=inliers, errors=pair.errors, style=style), suffix)


def _registered(pair: MatchedPair, models: Sequence[RobustEstimate], overlay: OverlayMode | None) -> NDArray[np.uint8]:
    """Image 1 in the frame of image 0, alone or over it."""
    rgb0, rgb1 = pair.result.image0.rgb, pair.result.image1.rgb
    estimate = next(model for model in models if model.kind == "homography")
    if not estimate.ok or rgb0 is None or rgb1 is None:
        raise InputError(f"--registered: the images cannot be registered: {estimate.message}")
    warped, covered = warp_image(rgb1, estimate.matrix, pair.result.image0.size)
    return warped if overlay is None else overlay_image(rgb0, warped, covered, overlay)
