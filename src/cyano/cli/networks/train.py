"""`cyano train`: detector and matcher from any folder of photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyano.cli.arguments import checked_device, existing_folder
from cyano.cli.command import Command, Group
from cyano.cli.markdown import print_markdown
from cyano.cli.output import plain_line, result_console, watching
from cyano.progress import NOBODY, Watcher
from cyano.training.run.tuning import tune_process

if TYPE_CHECKING:
    from cyano.evaluation.suite import PairSet

__all__ = ["app"]

app = typer.Typer(
    cls=Group,
    help="""Train a detector and a matcher on your own photographs. Every stage can be resumed.

\b
cyano train detector photos -o my_run
cyano train matcher photos -o my_run
cyano match a.jpg b.jpg -w my_run/model""",
    no_args_is_help=True,
)

Images = Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of photographs, searched recursively.")]
Run = Annotated[
    Path,
    typer.Option("--out", "-o", "--run", metavar="DIR", help="Folder of the run: checkpoints, logs and models."),
]
Recipe = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE", help="A TOML file, or a recipe of Cyano: small, base, tiny, minutes, place, sift, taught."
    ),
]
Posed = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR", help="A scene of posed images with depth (see the how-to); may be repeated.", show_default=False
    ),
]
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Unpickle objects in --posed scene.npz. This can execute code: only for files that you trust.",
    ),
]
Reconstruction = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="MODEL",
        help="A reconstruction to learn wide baselines from: a folder of `cyano reconstruct`, or a COLMAP model. "
        "Its images are in MODEL/images, if that exists, or in IMAGES. May be repeated.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; torchrun starts several processes.")]


@app.callback()
def tune() -> None:
    """Prepare the process, before any command loads torch."""
    tune_process()


@contextmanager
def _following() -> Iterator[Watcher]:
    """What the terminal shows, told by the first of several processes alone."""
    from cyano.training.run.processes import is_first_process

    if not is_first_process():
        yield NOBODY
        return
    with watching() as watcher:
        yield watcher


@app.command(cls=Command)
def detector(
    images: Images,
    *,
    run: Run,
    recipe: Recipe = "small",
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME|PATH", help="Weights to start from, instead of synthetic shapes."),
    ] = None,
    posed: Posed = None,
    allow_pickle: AllowPickle = False,
    reconstruction: Reconstruction = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="FEATURES.H5",
            help="Another network's features of IMAGES to learn from, as hloc writes them (see the how-to).",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Train SuperPoint: synthetic shapes, labels by homographic adaptation, then detector and descriptors."""
    existing_folder(images, "IMAGES")
    import torch

    from cyano.training.data.real_views import RealSources
    from cyano.training.run.config import read_config
    from cyano.training.run.pipeline import train_detector

    chosen, real = torch.device(checked_device(device)), RealSources(posed or (), reconstruction or (), allow_pickle)
    with _following() as watcher:
        folder = train_detector(read_config(recipe), images, run, chosen, watcher, start, real, teacher)
        watcher.say(f"wrote {folder}")


@app.command(cls=Command)
def matcher(
    images: Images,
    *,
    run: Run,
    recipe: Recipe = "small",
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME|PATH", help="Weights to start from: a detector, or a whole model."),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Weights whose detector replaces that of --from; it has to be fine-tuned from that one.",
            show_default=False,
        ),
    ] = None,
    posed: Posed = None,
    allow_pickle: AllowPickle = False,
    reconstruction: Reconstruction = None,
    device: Device = "auto",
) -> None:
    """Train SuperGlue: on a detector, by default the one that this run trained, or on SIFT if the recipe says so."""
    existing_folder(images, "IMAGES")
    import torch

    from cyano.training.data.real_views import RealSources
    from cyano.training.run.config import read_config
    from cyano.training.run.pipeline import train_matcher

    chosen, real = torch.device(checked_device(device)), RealSources(posed or (), reconstruction or (), allow_pickle)
    with _following() as watcher:
        folder = train_matcher(read_config(recipe), images, start, run, chosen, watcher, real, detector)
        watcher.say(f"wrote {folder}")


def _stress_set(images: Path, validation: float) -> PairSet:
    """The stress set of the photographs that a training with this share of validation keeps aside."""
    from cyano.errors import InputError
    from cyano.evaluation import suite
    from cyano.training.data.photographs import find_photographs

    _, aside = find_photographs(images, validation)
    if not aside:
        raise InputError(
            f"no photograph of {images} is held out: the recipe holds out a share of {validation:g} "
            "(validation), and files with the same name before the number stay together; give other photographs to "
            "`cyano evaluate --sets stress --photographs`"
        )
    return suite.stress_set(suite.chosen_photographs(images, aside))


def _chosen(found: Sequence[PairSet], names: str | None) -> list[PairSet]:
    """The sets that are named in a list with commas, or all.

    Raises:
        typer.BadParameter: there are none, or not all of those.
    """
    known = [pair_set.name for pair_set in found]
    wanted = known if names is None else [name.strip() for name in names.split(",") if name.strip()]
    absent = [name for name in wanted if name not in known]
    if absent or not wanted:
        remedy = f"choose --sets of {', '.join(known)}" if known else "give ROOT or --photographs"
        raise typer.BadParameter(f"there are no sets {', '.join(absent) or 'to evaluate'}; {remedy}")
    return [pair_set for pair_set in found if pair_set.name in wanted]


@app.command(cls=Command)
def evaluate(
    root: Annotated[
        Path | None, typer.Argument(metavar="[ROOT]", help="Folder with the sets, as for `cyano evaluate`.")
    ] = None,
    *,
    run: Run,
    recipe: Recipe = "small",
    photographs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the training photographs: six of the validation split make the set stress.",
        ),
    ] = None,
    sets: Annotated[str | None, typer.Option(metavar="A,B", help="These sets only.", show_default="all")] = None,
) -> None:
    """Evaluate the newest checkpoints of a run, finished or not, and add the numbers to its curve.jsonl."""
    for folder, name in ((run, "--out"), (root, "ROOT"), (photographs, "--photographs")):
        existing_folder(folder, name)
    from cyano.checkpoints import load, load_matcher
    from cyano.cli.arguments import matcher_options
    from cyano.evaluation import suite
    from cyano.training.run.config import read_config
    from cyano.training.run.snapshot import record_curve, take_snapshot

    config = read_config(recipe)
    snapshot = take_snapshot(run, config)
    found = [] if root is None else suite.find_sets(root)
    if photographs is not None:
        found.append(_stress_set(photographs, config.validation))
    chosen = _chosen(found, sets)
    matching = matcher_options([640], 1024)
    if config.features == "sift":
        names = suite.method_names(["sift-superglue", "sift"])
        methods, skipped = suite.build_methods(
            names, None, matching, sift_matcher=load_matcher(snapshot.folder, config.features)
        )
    else:
        names = suite.method_names(["cyano", "mutual-nn"] if snapshot.has_matcher else ["mutual-nn"])
        methods, skipped = suite.build_methods(names, load(snapshot.folder), matching)
    options = suite.EvaluateOptions(run / "evaluation", overwrite=True)
    report = suite.evaluate(chosen, methods, options, skipped=skipped)
    suite.write_report(report, run / "evaluation")
    record_curve(run, snapshot, report)
    console = result_console(as_json=False)
    print_markdown(console, suite.to_markdown(report))
    plain_line(console, f"{snapshot.stage} after {snapshot.seconds / 3600:.2f} hours; added to {run / 'curve.jsonl'}")
