"""`cyano serve`: the page and the HTTP service."""

from __future__ import annotations

import re
import secrets
import webbrowser
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import busy, error_console, plain_line
from cyano.errors import InputError, MissingExtraError
from cyano.reading import read_text

if TYPE_CHECKING:
    from cyano.page.settings import Settings

__all__ = ["HELP", "need_extra", "run", "serve"]

SERVER, LIMITS = "Server", "Limits"

HELP = """Serve a page to match images in a browser, and an HTTP API for programs.

Prints its address when it is ready. It makes no connections to other machines, and images are kept in memory only. \
On a non-local address every request needs a token, which is printed once.

\b
cyano serve
cyano serve --collection model --images photos
cyano serve --live 0
cyano serve --host 0.0.0.0 --token-file token.txt --name photos.example.org

Exit codes: 0 ended by Ctrl-C; 1 error; 2 usage error."""

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "MP": 10**6}


def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.", rich_help_panel=SERVER)] = 8080,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; a non-local one needs a token.", rich_help_panel=SERVER),
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="Another host name of this server, such as that of a proxy; may be repeated.",
            show_default=False,
            rich_help_panel=SERVER,
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of the token that every request needs.",
            show_default="a new token on non-local addresses, none on local ones",
            rich_help_panel=SERVER,
        ),
    ] = None,
    collection: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Results of `cyano reconstruct`, to view and to localise images in; may be repeated.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Folder of a collection's images; once for each --collection, in their order.",
            show_default="DIR/images of the collection, if it exists",
        ),
    ] = None,
    live: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="A camera (0), a stream or a movie to match on the page's live tab, as `cyano live` does.",
            show_default=False,
        ),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    max_upload: Annotated[str, typer.Option(metavar="SIZE", help="Size of a file.", rich_help_panel=LIMITS)] = "40MB",
    max_pixels: Annotated[str, typer.Option(metavar="N", help="Pixels of an image.", rich_help_panel=LIMITS)] = "50MP",
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="Memory for stored images and answers.", rich_help_panel=LIMITS)
    ] = "512MB",
    queue: Annotated[int, typer.Option(min=1, help="Jobs in the queue.", rich_help_panel=LIMITS)] = 8,
    deadline: Annotated[
        float, typer.Option(min=1, help="Seconds that a job may wait, and may run.", rich_help_panel=LIMITS)
    ] = 60,
    weights: shared.Weights = None,
    device: shared.Device = "auto",
) -> None:
    """Parse, check, serve; the help is `HELP`."""
    need_extra()
    from cyano.page.settings import CollectionFolders, Limits, LiveSource, Settings

    folders = _folders(collection or [], images or [])
    with shared.usage_errors():
        limits = Limits(
            upload_bytes=_number(max_upload, "--max-upload"),
            pixels=_number(max_pixels, "--max-pixels"),
            memory_bytes=_number(memory, "--memory"),
            queue=queue,
            deadline_seconds=deadline,
        )
    token = None if token_file is None else _token(token_file)
    settings = Settings(
        host,
        port,
        tuple(name or ()),
        token,
        weights,
        device,
        tuple(CollectionFolders(*each) for each in folders),
        limits,
        None if live is None else LiveSource(live, weights, device),
    )
    if not settings.is_local and token is None:
        settings = replace(settings, token=secrets.token_urlsafe(32))
    run(settings, show=open_browser)


def run(settings: Settings, *, tab: str = "", show: bool) -> None:
    """Serve until somebody ends it, and say where.

    Args:
        settings: of the server.
        tab: of the page that is named.
        show: open the page in a browser.
    """
    from cyano.page.server import serve as serve_

    ended = "q on the page or Ctrl-C here ends it" if settings.live and settings.live.quits else "Ctrl-C ends it"

    def ready(address: str) -> None:
        loading.close()
        page = f"{address}#{tab}" if tab else address
        typer.echo(page)
        plain_line(error_console(), ended)
        if show:
            webbrowser.open(page)

    with ExitStack() as loading:
        loading.enter_context(busy("loading the networks"))
        serve_(settings, ready)


def need_extra() -> None:
    """Refuse before anything heavy is loaded.

    Raises:
        MissingExtraError: the packages of the page are not installed.
    """
    for package in ("fastapi", "uvicorn", "python_multipart", "websockets"):
        if find_spec(package) is None:
            raise MissingExtraError(f'the page needs {package}: pip install ".[page]" in the folder of Cyano')


def _folders(collections: list[Path], images: list[Path]) -> list[tuple[Path, Path | None]]:
    if images and len(images) != len(collections):
        raise typer.BadParameter(
            f"--images is given {len(images)} times for {len(collections)} collections; give it once for each"
        )
    for folder in (*collections, *images):
        shared.existing_folder(folder, "--collection" if folder in collections else "--images")
    return [(folder, images[number] if images else None) for number, folder in enumerate(collections)]


def _token(path: Path) -> str:
    token = read_text(path, remedy="check --token-file").strip()
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,512}", token):
        raise InputError(f"{path} has no token: write 16 or more letters and digits on one line")
    return token


def _number(text: str, flag: str) -> int:
    """40MB as 40,000,000."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B|MP|)", text.strip().upper())
    value = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if value < 1:
        raise typer.BadParameter(f"{flag} is a number such as 40MB or 50MP, not {text!r}")
    return value
