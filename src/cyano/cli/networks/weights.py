"""`cyano weights`: what networks there are, what is in them, and under which licence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyano.cli.arguments import AsJson
from cyano.cli.command import Command, Group
from cyano.cli.output import busy, print_facts, print_json, result_console

__all__ = ["app"]

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="""List, show, convert and verify weights and their licences.

\b
cyano weights list
cyano weights info cyano-small
cyano weights convert superglue_outdoor.pth outdoor --superpoint superpoint_v1.pth
cyano weights verify""",
)

INFO_HELP = """Show the configuration, size, checksums and licence of weights.

\b
cyano weights info cyano-small
cyano weights info superglue_outdoor.pth     with superpoint_v1.pth in its folder"""

CONVERT_HELP = """Convert weights to a folder for Cyano and transformers, with their model card and unchanged licence.

\b
cyano weights convert superglue_indoor.pth indoor
cyano weights convert superglue_indoor.pth indoor --superpoint elsewhere/superpoint_v1.pth
cyano weights convert run/model smaller --half"""


@app.command("list", cls=Command)
def list_weights(as_json: AsJson = False) -> None:
    """List known weights with their licences; other folders, files and hub names load as well."""
    from cyano.checkpoints import CATALOGUE

    if as_json:
        known = [{**vars(entry), "checksums": dict(entry.checksums)} for entry in CATALOGUE.values()]
        print_json({"weights": known})
        return
    for entry in CATALOGUE.values():
        rows = [("description", entry.description), ("licence", entry.licence)]
        rows += [("commercial use", "yes" if entry.commercial_use else "no"), ("where", entry.where)]
        print_facts(result_console(as_json), entry.name, rows)


@app.command(cls=Command, help=INFO_HELP)
def info(
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name, a folder, or a .pth file.")],
    as_json: AsJson = False,
) -> None:
    """Print what weights are; the help is `INFO_HELP`."""
    with busy("reading"):
        from cyano.cli.networks.weights_info import describe

        document = describe(name)
    if as_json:
        print_json(document)
        return
    flat = {
        key: value if isinstance(value, dict) else {"": value} for key, value in document.items() if value is not None
    }
    rows = [(f"{key} {inner}".strip(), str(value)) for key, block in flat.items() for inner, value in block.items()]
    print_facts(result_console(as_json), name, rows)


@app.command(cls=Command, help=CONVERT_HELP)
def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="superglue_*.pth, superpoint_v1.pth, a model folder, or a name.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    superpoint: Annotated[
        Path | None,
        typer.Option(help="The detector's .pth file.", show_default="superpoint_v1.pth in the matcher's folder"),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store float16, half the bytes; loaded as float32.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another model in the target folder.")] = False,
) -> None:
    """Read, write, tell; the help is `CONVERT_HELP`."""
    with busy("converting"):
        from cyano.cli.networks.weights_info import converted

        licence = converted(source, target, superpoint, half=half, overwrite=overwrite)
    rows = [("written", str(target)), ("licence", licence)]
    print_facts(result_console(as_json=False), "converted", rows)


@app.command(cls=Command)
def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A name in the list.", show_default="cyano-small")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the checksums of released weights; a difference is an error (exit code 1)."""
    with busy("verifying"):
        from cyano import weights
        from cyano.checkpoints import CATALOGUE
        from cyano.checkpoints import verify as verify_weights

        outcome = verify_weights(name or weights.DEFAULT)
    document = {
        "name": outcome.name,
        "folder": str(outcome.folder),
        "checksums": dict(outcome.checksums),
        "verified": outcome.verified,
        "licence": CATALOGUE[outcome.name].licence,
    }
    if as_json:
        print_json(document)
        return
    verdict = "all files are the released ones" if outcome.verified else "no released checksums are known"
    rows = [("verdict", verdict), ("folder", str(outcome.folder)), ("licence", str(document["licence"]))]
    rows += [(f"sha256 {file}", digest) for file, digest in outcome.checksums.items()]
    print_facts(result_console(as_json), outcome.name, rows)
