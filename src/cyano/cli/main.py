"""The program `cyano`: its commands, its errors and its exit codes."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from typing import Annotated, Any

import typer

from cyano import __version__
from cyano.cli import environment, serve
from cyano.cli.collections import align, colmap, extract, match_all, reconstruct, store, verify, view
from cyano.cli.command import Command, Group
from cyano.cli.maps import add, georeference, localise, map
from cyano.cli.matching import demo, match, pairs
from cyano.cli.networks import evaluate, export, train, weights
from cyano.cli.output import error_console, is_verbose, plain_line
from cyano.cli.videos import frames, live, video
from cyano.cli.videos.options import SourceCommand
from cyano.errors import CyanoError

__all__ = ["app", "main"]

HELP = """Image matching: SuperPoint keypoints, SuperGlue matches, geometry, structure from motion.

\b
cyano demo                                 a stereo pair with ground truth
cyano match a.jpg b.jpg                    two images
cyano pairs --input-pairs list.txt --eval  a list of pairs, as match_pairs.py
cyano reconstruct photos -o model          a folder to a sparse model (COLMAP)
cyano localise new.jpg --map model         the pose of an image in a model
cyano map sparse/0 --images photos -o map  a map from any COLMAP model
cyano add more --to model -o grown         add images to a map
cyano serve                                a page and an HTTP service
cyano video walk.mp4 --out walk            a movie, frame by frame
cyano export onnx                          ONNX graphs for programs without PyTorch
cyano evaluate FOLDER                      weights and baselines on benchmarks

Exit codes: 0 done; 1 error (one line on stderr); 2 usage error; 3 some images or pairs failed and the rest is done; \
130 interrupted."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}

_YOUNG_OBJECTS = 10_000
"""New objects between two searches for garbage: importing torch makes hundreds of thousands, and all stay."""


class ErrorsInOneLine(Group):
    """Cyano's own errors end the program with their message and exit code 1; others keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except CyanoError as error:
            if is_verbose():
                traceback.print_exc()
            plain_line(error_console(), f"error: {error}", style="red")
            raise typer.Exit(1) from error

    def main(self, *arguments: Any, **settings: Any) -> Any:
        """Parse the arguments and run; a disk that is full under what is printed is an error in one line, too."""
        try:
            return super().main(*arguments, **settings)
        except OSError as error:
            if isinstance(error, CyanoError) or error.errno not in _FULL:
                raise
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - what is left of the output has no place
            plain_line(
                error_console(), f"error: the output cannot be written: {error.strerror}; make room for it", "red"
            )
            raise SystemExit(1) from error


app = typer.Typer(
    name="cyano",
    cls=ErrorsInOneLine,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    # The original program spells its options with underscores: both spellings work, in every command.
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda name: name.replace("_", "-"),
    },
)
app.command("match", cls=Command, help=match.HELP)(match.match)
app.command("pairs", cls=Command, help=pairs.HELP)(pairs.pairs)
app.command("reconstruct", cls=Command, help=reconstruct.HELP)(reconstruct.reconstruct)
app.command("extract", cls=Command, help=extract.HELP)(extract.extract)
app.command("match-all", cls=Command, help=match_all.HELP)(match_all.match_all)
app.command("verify-pairs", cls=Command, help=verify.HELP)(verify.verify)
app.command("align", cls=Command, help=align.HELP)(align.align)
app.command("colmap", cls=Command, help=colmap.HELP)(colmap.colmap)
app.command("view", cls=Command, help=view.HELP)(view.view)
app.command("localise", cls=Command, help=localise.HELP)(localise.localise)
app.command("map", cls=Command, help=map.HELP)(map.make_map)
app.command("add", cls=Command, help=add.HELP)(add.add)
app.command("georeference", cls=Command, help=georeference.HELP)(georeference.georeference)
app.command("serve", cls=Command, help=serve.HELP)(serve.serve)
app.command("video", cls=SourceCommand, help=video.HELP)(video.video)
app.command("live", cls=SourceCommand, help=live.HELP)(live.live)
app.command("frames", cls=SourceCommand, help=frames.HELP)(frames.frames)
app.command("export", cls=Command, help=export.HELP)(export.export)
app.command("demo", cls=Command, help=demo.HELP)(demo.demo)
app.command("evaluate", cls=Command, help=evaluate.HELP)(evaluate.evaluate)
app.command("env", cls=Command, help=environment.HELP)(environment.env)
app.add_typer(weights.app, name="weights")
app.add_typer(train.app, name="train")
app.add_typer(store.app, name="store")
# Old names stay.
app.command("verify", cls=Command, help=verify.HELP, hidden=True)(verify.verify)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cyano {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the program itself; its help is `HELP`."""


def main() -> None:
    """Run the program on the arguments of this process."""
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        app()
    finally:
        gc.freeze()  # nothing is left to collect but torch's modules: 0.4 s for what the system takes back anyway
