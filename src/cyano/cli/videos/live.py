"""`cyano live`: a camera or a movie on the page, with its matches."""

from __future__ import annotations

from typing import Annotated

import typer

from cyano.cli import arguments as shared
from cyano.cli.serve import need_extra, run
from cyano.cli.videos import options as given

__all__ = ["HELP", "live"]

HELP = """Match a camera, a stream or a movie live, and show it on a page of this machine.

The address of the page is printed; other machines and pages of other sites cannot read it. To watch from another \
machine forward the port: ssh -L 8080:localhost:8080 HOST. Keys are those of SuperGlue's demo_superglue.py: n makes \
the current frame the anchor, e and r change the keypoint threshold, d and f the match threshold, k shows keypoints, q \
quits; space pauses. From a camera the newest frame is matched, however slow matching is. `cyano serve --live SOURCE` \
shows the same, with collections and for other machines.

\b
cyano live 0
cyano live rtsp://camera.local/stream --resize 320
cyano live walk.mp4 --anchor object.jpg

Exit codes: 0 done; 1 error; 2 usage error; 130 interrupted."""

Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of the page; 0 for a free one.", rich_help_panel=shared.OUTPUT)
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
    need_extra()
    from cyano.page.settings import LiveSource, Settings

    frames = {"every": every, "max_frames": max_length, "globs": image_glob or (), "fps": fps}
    matching = {
        "resize": resize or None,
        "max_keypoints": max_keypoints,
        "keypoint_threshold": keypoint_threshold,
        "nms_radius": nms_radius,
        "match_threshold": match_threshold,
        "sinkhorn_iterations": sinkhorn_iterations,
        "layers": layers,
        "precision": precision,
        "align": not no_align,
    }
    place, chosen = "cpu" if force_cpu else device, given.named_weights(superglue, weights)
    wanted = LiveSource(
        name,
        chosen,
        place,
        {**frames, "max_fps": max_fps, "newest": newest},
        matching,
        anchor,
        min_matches,
        max_gap,
        show_keypoints,
        quits=True,
    )
    run(Settings(port=port, device=place, live=wanted), tab="live", show=not no_display)
