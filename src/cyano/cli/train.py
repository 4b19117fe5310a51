"""`cyano train`: detector and matcher from any folder of photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyano.cli.arguments import checked_device

__all__ = ["app"]

app = typer.Typer(
    help="Train a detector and a matcher of your own. Every stage resumes where it was stopped.",
    no_args_is_help=True,
)

Images = Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of photographs, searched with sub-folders.")]
Run = Annotated[Path, typer.Option("--run", help="Folder of the run: checkpoints, logs, results.")]
Recipe = Annotated[str, typer.Option(help="A TOML file, or a recipe that comes with Cyano: small, tiny.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; torchrun starts several processes.")]


@app.command()
def detector(images: Images, run: Run, recipe: Recipe = "small", device: Device = "auto") -> None:
    """Train SuperPoint: synthetic shapes, labels by homographic adaptation, then detector and descriptors."""
    import torch

    from cyano.training.config import read_config
    from cyano.training.pipeline import train_detector

    chosen = torch.device(checked_device(device))
    folder = train_detector(read_config(recipe), images, run, chosen, typer.echo)
    typer.echo(f"wrote {folder}")


@app.command()
def matcher(
    images: Images,
    run: Run,
    recipe: Recipe = "small",
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Model folder to start from: a detector, or a whole model to go on with."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Train SuperGlue on a detector, by default the one that this run trained."""
    import torch

    from cyano.training.config import read_config
    from cyano.training.pipeline import train_matcher

    chosen = torch.device(checked_device(device))
    folder = train_matcher(read_config(recipe), images, start or run / "detector", run, chosen, typer.echo)
    typer.echo(f"wrote {folder}")
