"""Options shared by the commands: one meaning and one default with the library's."""

from __future__ import annotations

import inspect
from typing import get_args, get_type_hints

import pytest

from cyano.cli import arguments
from cyano.cli.arguments import matcher_options
from cyano.cli.command import fold_resize
from cyano.cli.matching.demo import demo
from cyano.cli.matching.match import OverlayName, match
from cyano.cli.matching.pairs import ExtensionName, pairs
from cyano.evaluation.pair_lists.pictures import Extension, PictureOptions
from cyano.geometry import Estimator, RobustOptions
from cyano.options import MatcherOptions
from cyano.viz import OverlayMode


@pytest.mark.parametrize(
    ("given", "folded"),
    [
        ("a b --resize 640", "a b --resize 640"),
        ("--resize 640 480 --eval", "--resize 640 --resize 480 --eval"),
        ("--resize -1 a b", "--resize -1 a b"),
        ("--resize=640 480 a", "--resize=640 --resize 480 a"),
        ("--resize 640 -1", "--resize 640 --resize -1"),
        ("--resize 640 -- 1 2", "--resize 640 -- 1 2"),
        ("--resize 640 x 480", "--resize 640 x 480"),
        ("--max-keypoints 5 6 --resize", "--max-keypoints 5 6 --resize"),
    ],
)
def test_fold_resize(given: str, folded: str) -> None:
    assert fold_resize(given.split()) == folded.split()


def test_names_are_the_librarys() -> None:
    # The command line repeats them because importing the library's would load numpy for --help.
    hints = get_type_hints(MatcherOptions)
    assert get_args(arguments.PrecisionName) == get_args(hints["precision"])
    assert get_args(arguments.RotationsName) == get_args(hints["rotations"])
    assert get_args(arguments.ViewsName) == get_args(hints["views"])
    assert get_args(arguments.EstimatorName) == get_args(Estimator)
    assert get_args(OverlayName) == get_args(OverlayMode)
    assert get_args(ExtensionName) == get_args(Extension)


def test_defaults_are_the_librarys() -> None:
    assert matcher_options(None) == MatcherOptions()
    library = MatcherOptions()
    for command in (match, demo, pairs):
        given = {name: value.default for name, value in inspect.signature(command).parameters.items()}
        assert given.get("precision", library.precision) == library.precision
        assert given.get("rotations", library.rotations) == library.rotations
        assert given.get("views", library.views) == library.views
        assert given.get("estimator", "poselib") == RobustOptions().estimator
        assert given.get("seed", 0) == RobustOptions().seed
    assert inspect.signature(pairs).parameters["viz_extension"].default == PictureOptions().extension
    # match_pairs measures its pixel in the resized images, and the default is that of the original program.
    assert inspect.signature(pairs).parameters["threshold"].default == RobustOptions().threshold_for("pose")
