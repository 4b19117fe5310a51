"""`cyano video`: a movie, a camera or a folder, matched frame by frame."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import plain_line, print_facts, result_console, watching
from cyano.cli.videos import options as given

if TYPE_CHECKING:
    from cyano.progress import Watcher
    from cyano.tracking.poses import FrameCamera
    from cyano.tracking.recorder import FrameRecorder, Outputs
    from cyano.tracking.tracker import Tracker
    from cyano.video import Source

__all__ = ["HELP", "video"]

HELP = """Match the frames of a movie, a camera or a folder of images, and track keypoints through them.

Writes to DIR: matches.webm, each frame next to its anchor; frames.jsonl, a line for each frame; tracks.npz, the \
observations of all tracks; summary.json. Frames are numbered as in the source, from 0. The run may be stopped at any \
moment (Ctrl-C); results up to then are written. The options of SuperGlue's demo_superglue.py are accepted as well; \
its --output_dir DIR is --out DIR with pictures matches_ANCHOR_FRAME.png.

\b
cyano video walk.mp4 --out walk
cyano video walk.mp4 --out walk --every 5 --start 10 --end 20
cyano video walk.mp4 --out found --anchor object.jpg --homography
cyano video walk.mp4 --out walk --pose --camera 1400,1400,960,540
cyano video 0 --json - | grep '"status": "tracked"'
cyano video --input frames --output_dir out --resize 320 240 --no_display

Exit codes: 0 done; 1 error; 2 usage error; 3 the source ended early, and what came before is written; \
130 interrupted."""

ENDED_EARLY = 3

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder of the results; created if missing.",
        show_default=False,
        rich_help_panel=shared.OUTPUT,
    ),
]
OutputDir = Annotated[Path | None, typer.Option(metavar="DIR", hidden=True)]  # the original's
Json = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="-",
        help="Print the lines of frames.jsonl to stdout as frames come.",
        show_default=False,
        rich_help_panel=shared.OUTPUT,
    ),
]
Pictures = Annotated[
    bool, typer.Option("--pictures", help="Write DIR/pictures, one for each frame.", rich_help_panel=shared.OUTPUT)
]
NoMovie = Annotated[
    bool, typer.Option("--no-movie", help="Do not write the movie of the matches.", rich_help_panel=shared.OUTPUT)
]
Homography = Annotated[
    bool,
    typer.Option(
        "--homography",
        help="Estimate the homography from the anchor to each frame, and draw the anchor's outline.",
        rich_help_panel=shared.OUTPUT,
    ),
]
Pose = Annotated[
    bool,
    typer.Option(
        "--pose",
        help="Estimate the motion from the anchor to each frame; needs --camera.",
        rich_help_panel=shared.OUTPUT,
    ),
]
CameraText = Annotated[
    str | None,
    typer.Option(
        "--camera",
        metavar="FX,FY,CX,CY",
        help="Intrinsics in pixels of the frames, or MODEL:P,P,...[@WxH] in COLMAP's order and pixels.",
        show_default=False,
        rich_help_panel=shared.OUTPUT,
    ),
]
Stabilise = Annotated[
    bool,
    typer.Option(
        "--stabilise",
        help="Also write stabilised.webm: frames registered to the first one by homographies.",
        rich_help_panel=shared.OUTPUT,
    ),
]
CodecName = Annotated[
    Literal["vp9", "h264", "mp4v"] | None,
    typer.Option(
        "--codec",
        help="vp9 (.webm), h264 (.mp4, by x264, which is under the GPL), or mp4v (.mp4), which browsers do not play.",
        show_default="vp9; mp4v without PyAV",
        rich_help_panel=shared.OUTPUT,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.", rich_help_panel=shared.OUTPUT)
]
NoDisplay = Annotated[
    bool,
    typer.Option(
        "--no-display", help="No effect: nothing is displayed; `cyano live` does.", rich_help_panel=shared.OUTPUT
    ),
]


def video(
    source: given.SourceName = None,
    *,
    input_source: given.Input = None,
    out: Out = None,
    output_dir: OutputDir = None,
    json_to: Json = None,
    pictures: Pictures = False,
    no_movie: NoMovie = False,
    homography: Homography = False,
    pose: Pose = False,
    camera: CameraText = None,
    stabilise: Stabilise = False,
    show_keypoints: given.ShowKeypoints = False,
    max_lines: shared.MaxLines = 250,
    codec: CodecName = None,
    overwrite: Overwrite = False,
    no_display: NoDisplay = False,
    every: given.Every = 1,
    max_length: given.MaxLength = None,
    image_glob: given.ImageGlob = None,
    start: given.Start = 0.0,
    end: given.End = None,
    fps: given.Fps = None,
    max_fps: given.MaxFps = None,
    newest: given.Newest = None,
    anchor: given.AnchorName = "keyframe",
    min_matches: given.MinMatches = 60,
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
    """Parse, track, write; the help is `HELP`."""
    name = given.source_name(source, input_source)
    wanted = _outputs(out, output_dir, json_to, pictures)
    from dataclasses import replace

    from cyano.video import open_source

    wanted = replace(
        wanted,
        movie=not no_movie,
        homography=homography,
        camera=_camera(camera, pose),
        stabilise=stabilise,
        show_keypoints=show_keypoints,
        max_lines=shared.line_limit(max_lines),
        codec=codec,
        overwrite=overwrite,
    )
    frames = given.source_options(
        every=every,
        max_length=max_length,
        image_glob=image_glob,
        start=start,
        end=end,
        fps=fps,
        max_fps=max_fps,
        newest=newest,
    )
    matching = shared.matcher_options(
        resize,
        *(max_keypoints, keypoint_threshold, nms_radius),
        *(match_threshold, sinkhorn_iterations, layers),
        precision=precision,
        align=not no_align,
    )
    quiet = json_to is not None
    with watching(aside=quiet) as watcher, open_source(name, frames, watcher=watcher) as opened:
        loaded = given.load_matcher(superglue, weights, matching, device, force_cpu)
        tracker = given.tracker_of(loaded.matcher, anchor, min_matches, max_gap)
        from cyano.tracking.recorder import FrameRecorder

        settings = {**loaded.record, "anchor": anchor, "min_matches": min_matches, "max_gap": max_gap, "every": every}
        with FrameRecorder(wanted, opened, settings) as recorder:
            summary, interrupted = _run(tracker, opened, recorder, watcher)
    _tell(summary, quiet)
    if interrupted:
        raise KeyboardInterrupt
    if summary["problem"]:
        raise typer.Exit(ENDED_EARLY)


def _run(tracker: Tracker, source: Source, recorder: FrameRecorder, watcher: Watcher) -> tuple[dict[str, Any], bool]:
    """All frames; the summary, and whether Ctrl-C ended it."""
    from cyano.tracking.run import track

    interrupted, total = False, source.options.max_frames or 0
    try:
        for number, (seen, seconds) in enumerate(track(tracker, source), start=1):
            recorder.add(seen, seconds)
            watcher.at("matching", number, max(total, number))
    except KeyboardInterrupt:
        interrupted = True
    return recorder.finish(interrupted=interrupted), interrupted


def _outputs(out: Path | None, output_dir: Path | None, json_to: str | None, pictures: bool) -> Outputs:
    """Where things go.

    Raises:
        typer.BadParameter: nowhere, to two places, or to something else than standard output.
    """
    if json_to not in (None, "-"):
        raise typer.BadParameter(f"--json takes -, standard output, not {json_to!r}; files are written to --out DIR")
    if out is not None and output_dir is not None and out != output_dir:
        raise typer.BadParameter("--out and --output-dir are two names of one folder; give one of them")
    folder = out or output_dir
    if folder is None and json_to is None:
        raise typer.BadParameter("say where the results go: --out DIR, or --json - for lines on standard output")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file, and --out is a folder")
    if folder is None and pictures:
        raise typer.BadParameter("--pictures go into the folder of the results; add --out DIR")
    from cyano.tracking.recorder import Outputs

    drawn = output_dir if output_dir is not None else None
    if drawn is None and pictures and folder is not None:
        drawn = folder / "pictures"
    return Outputs(folder, drawn, None if json_to is None else _print_line)


def _camera(text: str | None, pose: bool) -> FrameCamera | None:
    """The camera of all frames, for --pose.

    Raises:
        typer.BadParameter: one of the two is missing, or it is no camera.
    """
    if pose != (text is not None):
        raise typer.BadParameter("--pose and --camera fx,fy,cx,cy go together; give both")
    if text is None:
        return None
    from cyano.cli.collections.camera_options import camera_entry
    from cyano.cli.matching.models import pinhole_camera

    return camera_entry(text, "--camera") if ":" in text else pinhole_camera(text, "--camera")


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tell(summary: dict[str, Any], quiet: bool) -> None:
    """The summary for people."""
    console = result_console(quiet)
    statuses = ", ".join(f"{count} {status}" for status, count in summary["statuses"].items())
    length = summary["median_track_length"]
    seconds = {name: value / max(summary["frames"], 1) for name, value in summary["seconds"].items()}
    facts = [
        ("frames", f"{summary['frames']}: {statuses}"),
        ("keyframes", f"{len(summary['keyframes'])}"),
        ("tracks", f"{summary['tracks']}" + (f", seen in {length:g} frames in the median" if length else "")),
        ("seconds", ", ".join(f"{name} {value:.3f}" for name, value in seconds.items()) + " a frame"),
        ("weights", str(summary["configuration"]["weights"])),
        *summary.get("files", {}).items(),
    ]
    if summary["damaged"]:
        facts.insert(1, ("damaged", f"{summary['damaged']} frames could not be read, and are left out"))
    print_facts(console, f"{summary['source']}", facts)
    if summary["problem"]:
        from cyano.cli.output import error_console

        plain_line(error_console(), f"{summary['source']} ended early: {summary['problem']}", style="yellow")
