"""From a COLMAP database to a sparse model that can be trusted, by COLMAP's mappers."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cyano.atomic import written_beside
from cyano.errors import InputError
from cyano.formats.colmap.model_files import save_model
from cyano.formats.colmap.reading import copy_database
from cyano.formats.extras import load_pycolmap, quiet, translated
from cyano.formats.mapping.focal_lengths import estimate_focal_lengths
from cyano.formats.mapping.mappers import Mapper, MappingOptions, Start, adjust, run_mapper, starts_of
from cyano.formats.mapping.soundness import Evidence, agreement, median_ray_angle, read_evidence, unsound
from cyano.pairs.checks import some

__all__ = ["SUMMARY_FILE", "ModelSummary", "sparse_model"]

SUMMARY_FILE = "summary.json"
"""The `ModelSummary` in the folder of the models."""

_DEFAULT_MAPPING = MappingOptions()
_ENOUGH = 0.9  # share of the images with verified matches that have a pose where no further start is made
_MOST = 0.5  # share of them below which a model is doubtful
_SMALLEST_ANGLE = 2.0  # degrees between rays, in the median, below which it is
_FEWEST_POINTS = 100  # of a model; COLMAP begins with a pair that has as many, so fewer means that most were lost
_BETTER = 1.01  # by which factor a later start has to be better than an earlier one
_SHOWN = 3  # images that a line of words names


@dataclass(frozen=True)
class ModelSummary:
    """The largest of the models that the images fell into, and whether it can be trusted.

    Attributes:
        mapper: that made it, which may be another one than was asked for; see `sparse_model`.
        images: in the database.
        registered: images of the model, those with a pose; without those that were taken out.
        points: of the model.
        mean_track_length: images that see a point, on average.
        mean_reprojection_error: in pixels.
        models: how many there are.
        agreement: share of the verified matches of an image that agree with the poses, on average over the images.
        ray_angle: the largest angle between two rays to a point in degrees, in the median over the points.
        taken_out: images that a mapper had given a pose and that are not sound, with the reasons.
        unregistered: the other images without a pose in this model.
        doubts: reasons not to trust the model as a whole, in words.
        seed: of the start that made it.
        starts: how often mapping was tried.

    Example:
        >>> summary = sparse_model("run/database.db", "scene", "model", MappingOptions(threads=1))
        >>> summary.registered, summary.models, summary.sound
        (6, 1, True)
        >>> summary.verdict
        '6 of 6 images registered, and all agree'
    """

    mapper: Mapper
    images: int
    registered: int
    points: int
    mean_track_length: float
    mean_reprojection_error: float
    models: int
    agreement: float = 1.0
    ray_angle: float = 0.0
    taken_out: dict[str, str] = field(default_factory=dict)
    unregistered: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    seed: int = 0
    starts: int = 1

    @property
    def sound(self) -> bool:
        """Whether no image had to be taken out and there is no doubt about the whole."""
        return not (self.taken_out or self.doubts)

    @property
    def verdict(self) -> str:
        """How far the model can be trusted, in a line."""
        posed = self.registered + len(self.taken_out)
        text = f"{posed} of {self.images} images registered"
        if self.taken_out:
            named = [f"{name} ({reason})" for name, reason in list(self.taken_out.items())[:_SHOWN]]
            more = ", ..." if len(self.taken_out) > _SHOWN else ""
            text += f"; {self.registered} agree, {len(self.taken_out)} taken out: {', '.join(named)}{more}"
        else:
            text += ", and all agree" if not self.doubts else ""
        text += f"; not registered: {some(self.unregistered)}" if self.unregistered else ""
        return text + "".join(f"; doubtful: {doubt}" for doubt in self.doubts)


def sparse_model(
    database: str | os.PathLike[str],
    images: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    options: MappingOptions = _DEFAULT_MAPPING,
    *,
    overwrite: bool = False,
) -> ModelSummary:
    """Reconstruct cameras and points.

    Unless cameras are kept, focal lengths of which nothing is known beforehand are first estimated from all pairs
    together. Images that are not sound are taken out of what the mapper makes: those with an impossible camera, with
    hardly a point, or with a pose that most of their verified matches contradict. Where images are taken out, the model
    is doubtful, or a tenth of the images that match others has no pose, mapping is tried again with the next seed and
    in other ways. Of all models the one is kept whose images agree most: the sum over its images of the share of their
    verified matches that agrees with the poses.

    Args:
        database: of COLMAP, with two-view geometries; a copy is worked on.
        images: folder of the images, for the colours of the points; None to do without.
        out: folder for the models `0`, `1`, ... in COLMAP's binary form, the largest first, and their summary. It
            appears whole or not at all.
        options: mapper, seed, and what is refined.
        overwrite: replace an existing folder.

    Returns:
        The summary of model 0, with the verdict.

    Raises:
        InputError: the database is none, or no sound model comes of it.
        OutputError: the folder exists or cannot be written.
        MissingExtraError: pycolmap is not installed.

    Example:
        >>> summary = sparse_model("run/database.db", "scene", "model", MappingOptions(threads=1))
        >>> summary.registered, Path("model/0/points3D.bin").exists()
        (6, True)
    """
    if images is not None and not Path(images).is_dir():
        raise InputError(f"there is no folder {os.fspath(images)}; give that of the images, or none")
    pycolmap = load_pycolmap()
    with quiet(pycolmap, errors=False), written_beside(Path(out), overwrite=overwrite) as beside:
        beside.mkdir()
        copy = copy_database(database, beside.parent)
        with translated(f"COLMAP cannot map {os.fspath(database)}", "check the database, or make it again"):
            names, evidence = _image_names(pycolmap, copy), read_evidence(pycolmap, copy)
            if not options.keep_cameras:
                estimate_focal_lengths(pycolmap, copy, options.seed)
            best, tries = _best(pycolmap, copy, images, options, evidence)
        if not best.models:
            raise InputError(_no_model(os.fspath(database), names, evidence, best))
        for rank, model in enumerate(best.models):
            save_model(pycolmap, model, beside / str(rank))
        summary = _summary(names, best, tries)
        (beside / SUMMARY_FILE).write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="ascii")
    return summary


class _Found(NamedTuple):
    """What came of one start.

    Attributes:
        start: the mapper, and how.
        models: without the images that are not sound, the largest first.
        shares: for each image of the largest the share of its matches that agree.
        taken_out: from all models and not in any of them any more, with the reasons.
        doubts: of the largest.
    """

    start: Start
    models: list[Any]
    shares: dict[int, float]
    taken_out: dict[str, str]
    doubts: list[str]

    @property
    def score(self) -> float:
        """The sum over the images of the largest model of the shares of their matches that agree."""
        return sum(self.shares.values())


def _best(
    pycolmap: Any,
    database: Path,
    images: str | os.PathLike[str] | None,
    options: MappingOptions,
    evidence: Evidence,
) -> tuple[_Found, int]:
    """The best of some starts, and their number; a start that fails counts as one without a model.

    Raises:
        RuntimeError, ValueError, LookupError: all of them fail.
    """
    best, failure, tries = None, None, 0
    for start in starts_of(options, known=evidence.focal_lengths_known):
        tries += 1
        try:
            models = run_mapper(pycolmap, database, images, start, options.threads)
            found = _checked(pycolmap, start, models, evidence)
        except (RuntimeError, ValueError, LookupError) as error:
            failure = error
            continue
        if best is None or found.score > _BETTER * best.score:
            best = found
        posed = {image for model in best.models for image in model.reg_image_ids()}
        if not (best.taken_out or best.doubts) and len(posed) >= _ENOUGH * len(evidence.connected):
            break
    if best is None:
        raise failure or RuntimeError("no start was made")
    return best, tries


def _checked(pycolmap: Any, start: Start, models: list[Any], evidence: Evidence) -> _Found:
    """Take out of models what is not sound, and judge the rest."""
    reasons: dict[str, str] = {}
    for model in models:
        reasons |= _take_out(pycolmap, model, evidence, start)
    left = sorted(
        (model for model in models if model.num_reg_images() >= 2),
        key=lambda model: (-model.num_reg_images(), -model.num_points3D()),
    )
    kept = {model.image(number).name for model in left for number in model.reg_image_ids()}
    taken_out = {name: reason for name, reason in sorted(reasons.items()) if name not in kept}
    shares = agreement(left[0], evidence) if left else {}
    return _Found(start, left, shares, taken_out, _doubts(left[0], evidence) if left else [])


def _take_out(pycolmap: Any, model: Any, evidence: Evidence, start: Start) -> dict[str, str]:
    """Take images out of a model until the rest is sound; their names and the reasons."""
    reasons: dict[str, str] = {}
    while model.num_reg_images():
        wrong = unsound(model, evidence, agreement(model, evidence))
        if not wrong:
            break
        for number, reason in wrong.items():
            image = model.image(number)
            reasons[image.name] = reason
            model.deregister_frame(image.frame_id)
        in_use = {model.image(number).camera_id for number in model.reg_image_ids()}
        for number in set(model.cameras) - in_use:
            model.camera(number).params = evidence.cameras[number].params
        if model.num_reg_images() >= 2 and model.num_points3D():
            adjust(pycolmap, model, start)
    return reasons


def _doubts(model: Any, evidence: Evidence) -> list[str]:
    """Reasons not to trust a model whose images are sound each."""
    doubts, registered, connected = [], model.num_reg_images(), len(evidence.connected)
    if registered < _MOST * connected:
        doubts.append(f"only {registered} of the {connected} images that match others have a pose")
    if registered == 2:
        doubts.append("no third image confirms the poses of two")
    if model.num_points3D() < _FEWEST_POINTS:
        doubts.append(f"only {model.num_points3D()} points")
    angle = median_ray_angle(model)
    if angle < _SMALLEST_ANGLE:
        doubts.append(f"rays cross at {angle:.1f} degrees only, as where a camera turns and does not move")
    return doubts


def _image_names(pycolmap: Any, database: Path) -> list[str]:
    with pycolmap.Database.open(str(database)) as opened:
        return sorted(image.name for image in opened.read_all_images())


def _no_model(database: str, names: list[str], evidence: Evidence, found: _Found) -> str:
    reasons = "".join(f"; {name}: {reason}" for name, reason in list(found.taken_out.items())[:_SHOWN])
    sound = "sound " if reasons else ""
    return (
        f"no {sound}model comes of {database}: {len(names)} images and {len(evidence.pairs)} verified pairs{reasons}; "
        "match more pairs, of pictures that overlap and are taken from different places"
    )


def _summary(names: list[str], found: _Found, tries: int) -> ModelSummary:
    largest = found.models[0]
    largest.update_point_3d_errors()
    posed = {largest.image(number).name for number in largest.reg_image_ids()}
    return ModelSummary(
        found.start.mapper,
        len(names),
        len(posed),
        largest.num_points3D(),
        float(largest.compute_mean_track_length()),
        float(largest.compute_mean_reprojection_error()),
        len(found.models),
        found.score / len(posed),
        median_ray_angle(largest),
        found.taken_out,
        [name for name in names if name not in posed and name not in found.taken_out],
        found.doubts,
        found.start.seed,
        tries,
    )
