"""The program `cyano`: its commands, its errors and its exit codes."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cyano import __version__
from cyano.cli import (
    align,
    colmap,
    demo,
    environment,
    evaluate,
    extract,
    match,
    match_all,
    pairs,
    reconstruct,
    store,
    train,
    verify,
    view,
    weights,
)
from cyano.cli.arguments import FoldedResize
from cyano.cli.output import error_console, plain_line
from cyano.errors import CyanoError

__all__ = ["app", "main"]

HELP = """Match two photographs: SuperPoint keypoints, SuperGlue correspondences, geometry and pictures.

\b
cyano demo                                 a real stereo pair, judged by its ground truth
cyano match a.jpg b.jpg                    a_b_matches.png and a_b_matches.json
cyano pairs --input-pairs list.txt --eval  a list of pairs, and the published table
cyano reconstruct photos --out model       a folder of images to a COLMAP database and a sparse model
cyano evaluate FOLDER                      weights and baselines on sets with known truth

Exit codes: 0 all is done; 1 an error, told in one line on stderr; 2 a wrong use of the command line; 3 some images or \
pairs of many failed and the rest is done; 130 interrupted."""


class ErrorsInOneLine(TyperGroup):
    """Cyano's own errors end the program with their message and exit code 1; others keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except CyanoError as error:
            plain_line(error_console(), f"error: {error}", style="red")
            raise typer.Exit(1) from error


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
app.command("match", cls=FoldedResize, help=match.HELP)(match.match)
app.command("pairs", cls=FoldedResize, help=pairs.HELP)(pairs.pairs)
app.command("reconstruct", cls=FoldedResize, help=reconstruct.HELP)(reconstruct.reconstruct)
app.command("extract", cls=FoldedResize, help=extract.HELP)(extract.extract)
app.command("match-all", cls=FoldedResize, help=match_all.HELP)(match_all.match_all)
app.command("verify", cls=FoldedResize, help=verify.HELP)(verify.verify)
app.command("align", cls=FoldedResize, help=align.HELP)(align.align)
app.command("colmap", cls=FoldedResize, help=colmap.HELP)(colmap.colmap)
app.command("view", cls=FoldedResize, help=view.HELP)(view.view)
app.command("demo", cls=FoldedResize, help=demo.HELP)(demo.demo)
app.command("evaluate", cls=FoldedResize, help=evaluate.HELP)(evaluate.evaluate)
app.command("env", help=environment.HELP)(environment.env)
app.add_typer(weights.app, name="weights")
app.add_typer(train.app, name="train")
app.add_typer(store.app, name="store")


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
    app()
