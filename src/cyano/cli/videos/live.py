"""`cyano live`: a camera or a movie on a page, with its matches."""

from __future__ import annotations

import socket
import sys
import webbrowser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import plain_line, result_console, watching
from cyano.cli.videos import options as given
from cyano.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from cyano.live import LiveSession

__all__ = ["HELP", "live"]

HELP = """Match a camera, a stream or a movie live, and show it on a page of this machine.

The page is at the address that is printed; nobody else's page or machine can read it. From another machine forward \
the port: ssh -L 8080:localhost:8080 HOST. Keys are those of the original demo_superglue.py: n takes the frame at hand \
as the new anchor, e and r change the keypoint threshold, d and f the match threshold, k shows keypoints, q quits; \
space pauses. Of a camera the newest frame is matched, however slow matching is.

\b
cyano live 0
cyano live rtsp://camera.local/stream --resize 320
cyano live walk.mp4 --anchor object.jpg

Exit codes: 0 done; 1 error; 2 usage error; 130 interrupted."""

Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Of the page; 0 for any free one.", rich_help_panel=shared.OUTPUT)
]
NoDisplay = Annotated[bool, typer.Option("--no-display", help="Do not open a browser.", rich_help_panel=shared.OUTPUT)]
OutputDir = Annotated[str | None, typer.Option(hidden=True)]


def live(
    source: given.SourceName = None,
    *,
    input_source: given.Input = None,
    port: Port = 8080,
    no_display: NoDisplay = False,
    show_keypoints: given.ShowKeypoints = False,
    output_dir: OutputDir = None,
    every: given.Every = 1,
    max_length: given.MaxLength = None,
    image_glob: given.ImageGlob = None,
    fps: given.Fps = None,
    max_fps: given.MaxFps = None,
    newest: given.Newest = None,
    anchor: given.AnchorName = "first",
    min_matches: given.MinMatches = 30,
    max_gap: given.MaxGap = 10,
    superglue: given.SuperGlueName = None,
    weights: given.VideoWeights = None,
    resize: shared.Resize = None,
    max_keypoints: shared.MaxKeypoints = None,
    keypoint_threshold: shared.KeypointThreshold = None,
    nms_radius: shared.NmsRadius = None,
    match_threshold: shared.MatchThreshold = None,
    sinkhorn_iterations: shared.SinkhornIterations = None,
    layers: shared.Layers = None,
    precision: shared.Precision = "float32",
    no_align: shared.NoAlign = False,
    device: shared.Device = "auto",
    force_cpu: given.ForceCpu = False,
) -> None:
    """Parse, serve; the help is `HELP`."""
    name = given.source_name(source, input_source) if source or input_source else "0"
    if output_dir is not None:
        raise typer.BadParameter(f"`cyano live` shows and writes nothing; use `cyano video {name} --out {output_dir}`")
    _check_packages()
    frames = given.source_options(
        every=every, max_length=max_length, image_glob=image_glob, fps=fps, max_fps=max_fps, newest=newest
    )
    matching = shared.matcher_options(
        resize,
        *(max_keypoints, keypoint_threshold, nms_radius),
        *(match_threshold, sinkhorn_iterations, layers),
        precision=precision,
        align=not no_align,
    )
    from cyano.live import LiveOptions, LiveSession
    from cyano.video import open_source

    tracking, image = given.track_options(anchor, min_matches, max_gap)
    with watching(aside=True) as watcher, open_source(name, frames, watcher=watcher) as opened, _bound(port) as place:
        networks, where = given.load_networks(superglue, weights, device, force_cpu)
        session = LiveSession(opened, LiveOptions(networks, matching, tracking, where, image, show_keypoints))
        _serve(session, place, show=not no_display)
    shown = session.latest().state
    if shown["state"] == "failed":
        raise InputError(str(shown["message"]))


def _check_packages() -> None:
    """Refuse before anything heavy is loaded.

    Raises:
        MissingExtraError: the packages of the page are not installed.
    """
    try:
        import fastapi
        import uvicorn
        import websockets
    except ImportError as error:
        raise MissingExtraError(
            f'the live page needs {error.name}: pip install ".[page]" in the folder of Cyano'
        ) from error
    del fastapi, uvicorn, websockets


def _bound(port: int) -> socket.socket:
    """A socket of this machine alone.

    Raises:
        InputError: the port is taken.
    """
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind(("127.0.0.1", port))
        place.listen()  # whoever reads the address may connect at once
    except OSError as error:
        place.close()
        raise InputError(f"port {port} cannot be used: {error.strerror}; give another --port, or 0 for any") from error
    return place


def _serve(session: LiveSession, place: socket.socket, *, show: bool) -> None:
    """Show the session until somebody quits."""
    import uvicorn

    from cyano.live.router import live_app

    address = f"http://127.0.0.1:{place.getsockname()[1]}/live"
    config = uvicorn.Config(
        live_app(session, lambda: _quit(server)),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=4096,
        timeout_graceful_shutdown=2,
    )
    server: Any = uvicorn.Server(config)
    plain_line(result_console(False), f"{address}  (q on the page or Ctrl-C here ends it)")
    sys.stdout.flush()
    if show:
        webbrowser.open(address)
    session.start()
    try:
        server.run(sockets=[place])
    finally:
        session.close()


def _quit(server: Any) -> None:
    server.should_exit = True
