"""The stages in order: files in, files out, each skipped where it is complete and resumed where it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from cyano.checkpoints.digest import weights_digest
from cyano.checkpoints.lone_matcher import save_matcher
from cyano.errors import InputError
from cyano.models.superpoint import SuperPoint
from cyano.progress import Watcher
from cyano.training.data.features import Extractor, FeatureExtractor, SiftExtractor
from cyano.training.data.material import read_material
from cyano.training.data.pair_store import PairStore
from cyano.training.data.photographs import Photographs
from cyano.training.data.real_views import NO_SOURCES, RealSources
from cyano.training.data.teacher import Teacher, student_axes, teacher_axes
from cyano.training.networks.detector import fresh_superpoint
from cyano.training.networks.model_folders import save_detector, save_model
from cyano.training.networks.starts import matcher_to_train, started_detector
from cyano.training.run.config import MatcherPhase, TrainingConfig
from cyano.training.run.loop import Stage, train_stage
from cyano.training.run.processes import Processes, is_first_process
from cyano.training.run.progress import Progress
from cyano.training.run.schedule import Schedule
from cyano.training.stages.joint import JointStage
from cyano.training.stages.labels import AdaptationOptions, label_photographs
from cyano.training.stages.matcher import MatcherStage
from cyano.training.stages.shapes import ShapesStage

__all__ = ["train_detector", "train_matcher"]


def train_detector(
    config: TrainingConfig,
    images: Path,
    run: Path,
    device: torch.device,
    watcher: Watcher,
    start: str | None = None,
    real: RealSources = NO_SOURCES,
    teacher: Path | None = None,
) -> Path:
    """Shapes, then rounds of labelling and joint training.

    Args:
        config: the recipe.
        images: folder of photographs.
        run: where everything goes; what it holds of this recipe already is not done again.
        device: where the networks run.
        watcher: is told how far it is.
        start: weights to go on from in place of the shapes, see `cyano.checkpoints.load`. With None and a recipe that
            has no shapes, the detector begins at random, and everything that it knows comes from the teacher.
        real: posed images with depth and reconstructions, which join the photographs.
        teacher: another network's features of the photographs, see `cyano.training.data.teacher`; rounds without labels
            learn from them. Photographs that it has none of are left out.

    Returns:
        `run`/detector, a model folder that transformers loads as SuperPointForKeypointDetection.

    Raises:
        InputError: the recipe has no stages of a detector, there are no photographs, a checkpoint is damaged, or
            `start` is of other sizes than the recipe.
        OutputError: a folder holds another recipe's work, or cannot be written.
    """
    if not config.rounds:
        raise InputError("the recipe has no [[rounds]], which train a detector; see the recipe small")
    stages = (config.shapes, *config.rounds)
    processes = _shared_out(device, [stage.schedule for stage in stages if stage is not None])
    takers = [phase.options for phase in config.rounds if phase.labels is None]
    photographs, views = read_material(images, config.validation, real, takers, watcher)
    known, axes = None, None
    if teacher is not None:
        known = Teacher.open(teacher, images)
        photographs = Photographs(known.taught(photographs.paths))
        watcher.say(f"{teacher} teaches {len(photographs)} of them")
    superpoint, is_new = _first_detector(config, run, device, watcher, start, taught=known is not None)
    if known is not None:
        axes = teacher_axes(known, photographs, superpoint) if is_new else student_axes(known, photographs, superpoint)
    began = None if is_new else weights_digest(superpoint)
    for number, phase in enumerate(config.rounds, start=1):
        labels = None
        if phase.labels is not None:
            labels = run / f"labels-{number}"
            watcher.say(f"labelling {len(photographs)} photographs, round {number}")
            _label(superpoint.to("cpu"), photographs, phase.labels, labels, config.seed, processes, watcher)
        name = f"joint-{number}"
        joint = JointStage(
            name,
            superpoint,
            photographs,
            labels,
            phase.options,
            phase.schedule,
            config.seed,
            views,
            teacher=known if labels is None else None,
            axes=axes,
            start=began,
        )
        _train(joint, run / name, device, watcher)
        began = weights_digest(superpoint)
    save_detector(run / "detector", superpoint)
    return run / "detector"


def train_matcher(
    config: TrainingConfig,
    images: Path,
    start: str | Path | None,
    run: Path,
    device: torch.device,
    watcher: Watcher,
    real: RealSources = NO_SOURCES,
    detector: str | Path | None = None,
) -> Path:
    """SuperGlue on features that stay as they are, phase after phase.

    Args:
        config: the recipe.
        images: folder of photographs.
        start: weights of a detector, or of a detector with a matcher to go on from, see `cyano.checkpoints.load`; None
            for `run`/detector. For features without a detector, a matcher to go on from, or None. A matcher with fewer
            channels than the recipe's is widened, see `cyano.training.networks.width_growth`.
        run: where everything goes.
        device: where the matcher runs; features are computed by the workers.
        watcher: is told how far it is.
        real: posed images with depth and reconstructions, which join the photographs.
        detector: weights whose detector takes the place of that of `start`, whose matcher then gets used to it: one
            that was trained on from there, since its descriptors should mean about the same.

    Returns:
        `run`/model, a model folder that transformers loads as SuperGlueForKeypointMatching, or, without a detector,
        that `load_matcher` loads.

    Raises:
        InputError: there are no photographs, the weights do not fit the recipe, or a checkpoint is damaged.
        OutputError: a folder holds another recipe's work, or cannot be written.
    """
    _shared_out(device, [phase.schedule for phase in config.matcher])
    if config.features != "sift" and start is None and not (run / "detector").is_dir():
        raise InputError(
            f"{run} has no detector to train a matcher on: train one first by `cyano train detector {images} --out "
            f"{run}`, or give weights with a detector by --from, such as --from cyano-small"
        )
    takers = [phase.options for phase in config.matcher]
    photographs, views = read_material(images, config.validation, real, takers, watcher)
    superpoint, superglue, began = matcher_to_train(config, start, run, photographs, detector)
    if superpoint is not None:
        save_detector(run / "detector", superpoint)
    ends: list[dict[str, Tensor]] = []
    for number, phase in enumerate(config.matcher, start=1):
        extractor = _extractor(superpoint, phase)
        seed = config.seed + number
        folder = run / f"matcher-{number}"
        store = PairStore(folder / "pairs", phase.options.stored) if phase.options.stored else None
        stage = MatcherStage(
            superglue, extractor, photographs, phase.options, phase.schedule, seed, views, store, start=began
        )
        _train(stage, folder, device, watcher)
        began = weights_digest(superglue)
        ends.append({name: tensor.detach().clone() for name, tensor in superglue.state_dict().items()})
    superglue.load_state_dict(_mean(ends[-config.averaged :]))
    if superpoint is not None:
        save_model(run / "model", superpoint, superglue)
    elif is_first_process():
        save_matcher(run / "model", superglue, config.features, overwrite=True)
    return run / "model"


def _shared_out(device: torch.device, schedules: Sequence[Schedule]) -> Processes:
    """The processes that train together, if they can share the batches of all stages: better known before the first."""
    processes = Processes.joined(device)
    for schedule in schedules:
        processes.share(schedule)
    return processes


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of weights of one network; counters are the last one's."""
    last = states[-1]
    means = {
        name: torch.stack([state[name] for state in states]).mean(0) for name in last if last[name].is_floating_point()
    }
    return {**last, **means}


def _extractor(superpoint: SuperPoint | None, phase: MatcherPhase) -> Extractor:
    """The recipe's features: SIFT's where there is no detector."""
    if superpoint is None:
        return SiftExtractor(phase.options.keypoints)
    return FeatureExtractor(superpoint, phase.options.keypoints)


def _first_detector(
    config: TrainingConfig, run: Path, device: torch.device, watcher: Watcher, start: str | None, *, taught: bool
) -> tuple[SuperPoint, bool]:
    """The detector of some weights, one that has learnt synthetic shapes, or a pupil that knows nothing yet (True)."""
    if start is not None:
        return started_detector(config, start), False
    if config.shapes is None and taught:
        return fresh_superpoint(config.superpoint, config.seed), True
    if config.shapes is None:
        raise InputError(
            "the recipe has no [shapes] to begin a detector with; add it, or give weights by --from or a teacher by "
            "--teacher"
        )
    shapes = ShapesStage(config.superpoint, config.shapes.options, config.shapes.schedule, config.seed)
    _train(shapes, run / "shapes", device, watcher)
    return shapes.superpoint, False


def _train(stage: Stage, folder: Path, device: torch.device, watcher: Watcher) -> None:
    watcher.say(f"{folder.name}: {stage.schedule.steps} steps")
    train_stage(stage, folder, device, Progress(folder, stage.schedule, watcher) if is_first_process() else None)


def _label(
    superpoint: SuperPoint,
    photographs: Photographs,
    options: AdaptationOptions,
    folder: Path,
    seed: int,
    processes: Processes,
    watcher: Watcher,
) -> None:
    """Every process its share, and none goes on before all are labelled."""
    label_photographs(
        superpoint,
        photographs,
        options,
        folder,
        seed,
        share=(processes.rank, processes.count),
        workers=processes.cores,
        on_photograph=_counting(folder.name, len(photographs), watcher),
    )
    processes.wait()


def _counting(name: str, total: int, watcher: Watcher) -> Callable[[int, int], None]:
    def on_photograph(index: int, points: int) -> None:
        watcher.at(name, index + 1, total)
        if index % 50 == 0:
            watcher.say(f"photograph {index}: {points} labels")

    return on_photograph
