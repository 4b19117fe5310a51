"""COLMAP's mappers, run once with one seed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from cyano.errors import InputError

__all__ = ["Hold", "Mapper", "MappingOptions", "Start", "adjust", "run_mapper", "starts_of"]

Mapper = Literal["incremental", "global"]
Hold = Literal["nothing", "distortion", "all"]

_MAX_SEED = 2**31 - 1
_FARTHEST_PX, _SMALLEST_ANGLE = 4.0, 1.5  # of observations and of rays, as the mappers filter points


@dataclass(frozen=True)
class MappingOptions:
    """How a database becomes a model.

    Attributes:
        mapper: "incremental" adds one image after the other, "global" solves for all at once.
        keep_cameras: leave focal lengths and distortions as the database has them instead of refining them. Calibrated
            cameras do not need it, and some motions, such as straight ahead, do not determine them.
        seed: of COLMAP's sampling; each further start takes the next.
        starts: how often mapping is tried at most. Further tries are made only where the model is not sound or lacks
            images, and the best one is kept; see `sparse_model`.
        threads: how many; -1 for all cores. With one, the same database gives the same model; with several, sums are
            added up in varying order.

    Raises:
        InputError: the mapper is unknown, or a number is out of its range.

    Example:
        >>> options = MappingOptions(keep_cameras=True, seed=1, threads=1)
    """

    mapper: Mapper = "incremental"
    keep_cameras: bool = False
    seed: int = 0
    starts: int = 3
    threads: int = -1

    def __post_init__(self) -> None:
        if self.mapper not in get_args(Mapper):
            raise InputError(f"unknown mapper {self.mapper!r}: choose one of {', '.join(get_args(Mapper))}")
        if not 0 <= self.seed <= _MAX_SEED:
            raise InputError(f"seed must be an integer from 0 to {_MAX_SEED}, not {self.seed}")
        if self.starts < 1:
            raise InputError(f"mapping takes at least one start, not {self.starts}")


class Start(NamedTuple):
    """One run of a mapper.

    Attributes:
        mapper: which one.
        seed: of its sampling.
        hold: what of the cameras is not refined.
    """

    mapper: Mapper
    seed: int
    hold: Hold


def starts_of(options: MappingOptions, *, known: bool = False) -> list[Start]:
    """The runs to make until one is good enough.

    The wanted mapper is first. The second try refines less, for what a few images that each have their own camera do
    not determine goes astray: no focal length that EXIF or the user told, and otherwise no distortion. The third is the
    global mapper's, where the first is not.

    Args:
        options: mapper, seed and number.
        known: all cameras come with a focal length.
    """
    refined: Hold = "all" if options.keep_cameras else "nothing"
    less: Hold = "all" if options.keep_cameras or known else "distortion"
    tries: tuple[tuple[Mapper, Hold], ...] = (("incremental", refined), ("incremental", less), ("global", refined))
    if options.mapper == "global":
        tries = (("global", refined), ("global", less))
    return [
        Start(mapper, (options.seed + number) % (_MAX_SEED + 1), hold)
        for number, (mapper, hold) in zip(range(options.starts), cycle(tries))
    ]


def run_mapper(
    pycolmap: Any, database: Path, images: str | os.PathLike[str] | None, start: Start, threads: int
) -> list[Any]:
    """The models that one run of a mapper makes of a database, the largest first.

    Args:
        pycolmap: the module.
        database: may be written to.
        images: folder of the images, for the colours of the points; None to do without.
        start: mapper, seed, and what is held.
        threads: how many; -1 for all cores.
    """
    run = {"incremental": _incremental, "global": _global}[start.mapper]
    return run(pycolmap, database, images, start, threads)


def adjust(pycolmap: Any, model: Any, start: Start) -> None:
    """Bundle adjustment of a model that has lost images, without the points that do not fit then."""
    # Not pycolmap.bundle_adjustment, which sets COLMAP's level of logging back.
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    _hold(options, start)
    config = pycolmap.BundleAdjustmentConfig()
    for number in model.reg_image_ids():
        config.add_image(number)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    pycolmap.create_default_bundle_adjuster(options, config, model).solve()
    pycolmap.ObservationManager(model).filter_all_points3D(_FARTHEST_PX, _SMALLEST_ANGLE)


def _hold(adjustment: Any, start: Start) -> None:
    adjustment.refine_focal_length = start.hold != "all"
    adjustment.refine_extra_params = start.hold == "nothing"


def _incremental(
    pycolmap: Any, database: Path, images: str | os.PathLike[str] | None, start: Start, threads: int
) -> list[Any]:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed, options.num_threads = start.seed, threads
    focal, distortion = start.hold != "all", start.hold == "nothing"
    options.ba_refine_focal_length = options.mapper.abs_pose_refine_focal_length = focal
    options.ba_refine_extra_params = options.mapper.abs_pose_refine_extra_params = distortion
    options.extract_colors = images is not None
    return _mapped(pycolmap.incremental_mapping, database, images, options)


def _global(
    pycolmap: Any, database: Path, images: str | os.PathLike[str] | None, start: Start, threads: int
) -> list[Any]:
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed, options.num_threads = start.seed, threads
    _hold(options.mapper.bundle_adjustment, start)
    return _mapped(pycolmap.global_mapping, database, images, options)


def _mapped(
    mapping: Callable[..., dict[int, Any]], database: Path, images: str | os.PathLike[str] | None, options: Any
) -> list[Any]:
    """The models, the largest first; what COLMAP writes on the way goes beside the database and away again."""
    with tempfile.TemporaryDirectory(dir=database.parent) as scratch:
        found = mapping(str(database), os.fspath(images or scratch), scratch, options)
    filled = [model for _, model in sorted(found.items()) if model.num_reg_images()]
    return sorted(filled, key=lambda model: (-model.num_reg_images(), -model.num_points3D()))
