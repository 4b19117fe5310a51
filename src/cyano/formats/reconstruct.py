"""From a COLMAP database to a sparse model, by COLMAP's mappers."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from cyano.atomic import written_beside
from cyano.errors import InputError
from cyano.formats.colmap_reading import copy_database
from cyano.formats.extras import load_pycolmap, quiet
from cyano.formats.focal_lengths import estimate_focal_lengths

__all__ = ["SUMMARY_FILE", "Mapper", "ModelSummary", "sparse_model"]

Mapper = Literal["incremental", "global"]

SUMMARY_FILE = "summary.json"
"""The `ModelSummary` in the folder of the models."""

_MAX_SEED = 2**31 - 1
_VERIFIED = 15  # inliers of a pair that the mappers take
_MOST = 0.5  # share of verified images that has a pose where the mapper was not wrong about the focal length


@dataclass(frozen=True)
class ModelSummary:
    """The largest of the models that the images fell into.

    Attributes:
        mapper: that made it, which may be another one than was asked for; see `sparse_model`.
        images: in the database.
        registered: images of the model, those with a pose.
        points: of the model.
        mean_track_length: images that see a point, on average.
        mean_reprojection_error: in pixels.
        models: how many there are.
    """

    mapper: Mapper
    images: int
    registered: int
    points: int
    mean_track_length: float
    mean_reprojection_error: float
    models: int


def sparse_model(
    database: str | os.PathLike[str],
    images: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    mapper: Mapper = "incremental",
    *,
    keep_cameras: bool = False,
    seed: int = 0,
    threads: int = -1,
    overwrite: bool = False,
) -> ModelSummary:
    """Reconstruct cameras and points.

    Args:
        database: of COLMAP, with two-view geometries; a copy is worked on.
        images: folder of the images, for the colours of the points; None to do without.
        out: folder for the models `0`, `1`, ... in COLMAP's binary form, the largest first, and their summary. It
            appears whole or not at all.
        mapper: "incremental" adds one image after the other, "global" solves for all at once; see `keep_cameras`.
        keep_cameras: leave focal lengths and distortions as the database has them instead of refining them, which
            calibrated cameras do not need and some motions, such as straight ahead, do not determine. Otherwise focal
            lengths of which nothing is known beforehand are estimated from all fundamental matrices together first;
            and where the incremental mapper begins with such and most images have no pose in the end, the global one,
            which finds focal lengths as it goes, has a try: neighbours in a drive straight ahead hardly tell them.
        seed: of COLMAP's sampling.
        threads: how many; -1 for all cores. With one, the same database gives the same model; with several, sums are
            added up in varying order.
        overwrite: replace an existing folder.

    Returns:
        The summary of model 0.

    Raises:
        InputError: the mapper is unknown, the database is none, or no model comes of it.
        OutputError: the folder exists or cannot be written.
        MissingExtraError: pycolmap is not installed.
    """
    if mapper not in get_args(Mapper):
        raise InputError(f"unknown mapper {mapper!r}: choose one of {', '.join(get_args(Mapper))}")
    if not 0 <= seed <= _MAX_SEED:
        raise InputError(f"seed must be an integer from 0 to {_MAX_SEED}, not {seed}")
    if images is not None and not Path(images).is_dir():
        raise InputError(f"there is no folder {os.fspath(images)}; give that of the images, or none")
    pycolmap = load_pycolmap()
    with quiet(pycolmap, errors=False), written_beside(Path(out), overwrite=overwrite) as beside:
        beside.mkdir()
        how = _How(mapper, keep_cameras, seed, threads)
        maker, total, models = _models(pycolmap, database, images, how, beside.parent)
        for rank, model in enumerate(models):
            (beside / str(rank)).mkdir()
            model.write(str(beside / str(rank)))
        summary = _summary(maker, total, models)
        (beside / SUMMARY_FILE).write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="ascii")
    return summary


class _How(NamedTuple):
    """Options of `sparse_model`."""

    mapper: Mapper
    keep_cameras: bool
    seed: int
    threads: int


def _models(
    pycolmap: Any,
    database: str | os.PathLike[str],
    images: str | os.PathLike[str] | None,
    how: _How,
    staging: Path,
) -> tuple[Mapper, int, list[Any]]:
    """Who made the models, the number of images in the database, and the models, the largest first."""
    copy = copy_database(database, staging)
    try:
        with pycolmap.Database.open(str(copy)) as opened:
            total, verified = opened.num_images(), opened.num_verified_image_pairs()
        guessed = 0 if how.keep_cameras else estimate_focal_lengths(pycolmap, copy, how.seed)
        run = {"incremental": _incremental, "global": _global}[how.mapper]
        found, mapper = run(pycolmap, copy, images, how), how.mapper
        if guessed and mapper == "incremental" and not _hold_most(pycolmap, copy, found):
            with suppress(RuntimeError, ValueError, LookupError):  # what was found stays
                others = _global(pycolmap, copy, images, how)
                if _registered(others) > _registered(found):
                    found, mapper = others, "global"
    except (RuntimeError, ValueError, LookupError) as error:
        raise InputError(f"COLMAP cannot map {os.fspath(database)}: {error}") from error
    if not found:
        raise InputError(
            f"no model comes of {os.fspath(database)}: {total} images and {verified} verified pairs; match more "
            "pairs, of pictures that overlap and are taken from different places"
        )
    return mapper, total, found


def _hold_most(pycolmap: Any, database: Path, models: list[Any]) -> bool:
    """Whether most images that are verified with another one have a pose in one of the models."""
    with pycolmap.Database.open(str(database)) as opened:
        pairs = zip(*opened.read_two_view_geometry_num_inliers(), strict=True)
    ids = [pycolmap.pair_id_to_image_pair(pair) for pair, inliers in pairs if inliers >= _VERIFIED]
    images = {image for pair in ids for image in pair}
    posed = {image for model in models for image in model.reg_image_ids()}
    return len(posed) >= _MOST * len(images)


def _registered(models: list[Any]) -> int:
    return models[0].num_reg_images() if models else 0


def _incremental(pycolmap: Any, database: Path, images: str | os.PathLike[str] | None, how: _How) -> list[Any]:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed, options.num_threads = how.seed, how.threads
    if how.keep_cameras:
        options.ba_refine_focal_length = options.ba_refine_extra_params = False
        options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = False
    options.extract_colors = images is not None
    return _mapped(pycolmap.incremental_mapping, database, images, options)


def _global(pycolmap: Any, database: Path, images: str | os.PathLike[str] | None, how: _How) -> list[Any]:
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed, options.num_threads = how.seed, how.threads
    if how.keep_cameras:
        adjustment = options.mapper.bundle_adjustment
        adjustment.refine_focal_length = adjustment.refine_extra_params = False
    return _mapped(pycolmap.global_mapping, database, images, options)


def _mapped(
    mapping: Callable[..., dict[int, Any]], database: Path, images: str | os.PathLike[str] | None, options: Any
) -> list[Any]:
    """The models, the largest first; what COLMAP writes on the way goes beside the database and away again."""
    with tempfile.TemporaryDirectory(dir=database.parent) as scratch:
        found = mapping(str(database), os.fspath(images or scratch), scratch, options)
    filled = [model for _, model in sorted(found.items()) if model.num_reg_images()]
    return sorted(filled, key=lambda model: (-model.num_reg_images(), -model.num_points3D()))


def _summary(mapper: Mapper, total: int, models: list[Any]) -> ModelSummary:
    largest = models[0]
    largest.update_point_3d_errors()
    return ModelSummary(
        mapper,
        total,
        largest.num_reg_images(),
        largest.num_points3D(),
        float(largest.compute_mean_track_length()),
        float(largest.compute_mean_reprojection_error()),
        len(models),
    )
