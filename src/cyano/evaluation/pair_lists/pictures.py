"""The pictures that match_pairs draws: the images as the networks saw them, in colour, with their matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from cyano.atomic import write_atomically
from cyano.errors import InputError
from cyano.evaluation.metrics import CORRECT_BELOW, PairEvaluation
from cyano.options import MatcherOptions
from cyano.processing.images import read
from cyano.result import PairResult
from cyano.types import ResizeMap
from cyano.viz import MAX_LINES, MatchStyle, draw_matches, draw_matches_image
from cyano.viz.encoding import figure_bytes, image_bytes
from cyano.viz.sizes import PICTURE_SIDE

__all__ = ["Extension", "PictureOptions", "draw", "up_to_date", "write"]

Extension = Literal["png", "pdf"]


@dataclass(frozen=True)
class PictureOptions:
    """How the pictures look.

    Attributes:
        fast: small pictures, at the size of what the networks saw.
        show_keypoints: also show the keypoints without a match.
        extension: the file format; "png" is painted, and "pdf" drawn by matplotlib, which takes a second more.
        max_lines: the most matches to draw, spread over the image; None for all.
    """

    fast: bool = False
    show_keypoints: bool = False
    extension: Extension = "png"
    max_lines: int | None = MAX_LINES

    def __post_init__(self) -> None:
        if self.extension not in get_args(Extension):
            raise InputError(f"--viz-extension is png or pdf, not {self.extension!r}")
        if self.fast and self.extension != "png":
            raise InputError(f"--fast-viz paints pixels and cannot write {self.extension}; leave one of them out")


def up_to_date(matches_npz: Path, options: PictureOptions, *, evaluated: bool) -> bool:
    """Whether a pair's pictures are there and not older than its matches."""
    kinds = ("matches", "evaluation") if evaluated else ("matches",)
    paths = [_beside(matches_npz, f"_{kind}.{options.extension}") for kind in kinds]
    made = matches_npz.stat().st_mtime_ns
    return all(path.is_file() and path.stat().st_mtime_ns >= made for path in paths)


def draw(
    result: PairResult,
    sources: tuple[str, str],
    evaluation: PairEvaluation | None,
    options: PictureOptions,
    matching: MatcherOptions,
) -> Mapping[str, bytes]:
    """The pictures of a pair as contents of files.

    Args:
        result: the matches.
        sources: the paths of the two images.
        evaluation: the pair's numbers, for a second picture coloured by the epipolar errors.
        options: how they look.
        matching: how the images were read for the networks.

    Returns:
        Contents by what follows the stem in the file's name: "_matches.png", "_evaluation.png".
    """
    title = " : ".join(PurePath(source).name for source in sources)
    seen0, seen1 = (
        _seen(source, image.frame, matching)
        for source, image in zip(sources, (result.image0, result.image1), strict=True)
    )
    images, style = (seen0, seen1), MatchStyle(title, max_lines=options.max_lines)
    contents = {f"_matches.{options.extension}": _picture(result, images, None, style, options)}
    if evaluation is not None:
        style = MatchStyle(
            title,
            (f"pose error: {evaluation.error_R:.1f} deg, {evaluation.error_t:.1f} deg (rotation, translation)",),
            error_threshold=CORRECT_BELOW,
            error_unit="(squared epipolar distance)",
            max_lines=options.max_lines,
        )
        errors = evaluation.epipolar_errors
        contents[f"_evaluation.{options.extension}"] = _picture(result, images, errors, style, options)
    return contents


def write(matches_npz: Path, contents: Mapping[str, bytes]) -> None:
    """Write a pair's pictures beside its npz.

    Raises:
        OutputError: a file cannot be written.
    """
    for ending, content in contents.items():
        write_atomically(_beside(matches_npz, ending), content)


def _beside(matches_npz: Path, ending: str) -> Path:
    """Another file of the same pair."""
    return matches_npz.with_name(matches_npz.name.removesuffix("_matches.npz") + ending)


def _picture(
    result: PairResult,
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    errors: NDArray[np.float64] | None,
    style: MatchStyle,
    options: PictureOptions,
) -> bytes:
    frame0, frame1 = result.image0.frame, result.image1.frame
    if options.show_keypoints:
        style = _with_keypoints(style, result)
    points = (frame0.to_network(result.keypoints0), frame1.to_network(result.keypoints1))
    if options.extension == "pdf":
        figure = draw_matches(*images, *points, scores=result.scores, errors=errors, style=style)
        return figure_bytes(figure, options.extension)
    side = None if options.fast else PICTURE_SIDE
    shown = draw_matches_image(*images, *points, scores=result.scores, errors=errors, style=style, longest_side=side)
    return image_bytes(shown, options.extension)


def _with_keypoints(style: MatchStyle, result: PairResult) -> MatchStyle:
    all0, all1 = (image.frame.to_network(image.keypoints) for image in (result.image0, result.image1))
    return replace(style, all_keypoints0=all0, all_keypoints1=all1)


def _seen(source: str, frame: ResizeMap, matching: MatcherOptions) -> NDArray[np.uint8]:
    """The image as the networks saw it, turned and resized, but in colour: (H, W, 3) uint8."""
    rgb = read(source, matching.limits, stretch=matching.stretch).rgb
    size = frame.network.turned(frame.quarter_turns)
    if rgb.shape[:2] != (size.height, size.width):
        shrinks = size.height < rgb.shape[0] and size.width < rgb.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        rgb = np.asarray(cv2.resize(rgb, (size.width, size.height), interpolation=how), dtype=np.uint8)
    return np.ascontiguousarray(np.rot90(rgb, frame.quarter_turns))
