"""`cyano frames`: sharp, different frames of a movie, for a reconstruction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import error_console, plain_line, print_facts, print_json, result_console, watching
from cyano.cli.videos import options as given

if TYPE_CHECKING:
    from cyano.video.selection import Chosen, Rhythm

__all__ = ["HELP", "frames"]

HELP = """Select sharp, distinct frames of a movie and write them as images for `cyano reconstruct`.

The sharpest of each group of consecutive frames is written, as frame_NUMBER.jpg by its number in the source; \
frames.json lists the selection. A group ends when the image has moved by a twentieth of its diagonal (motion), or \
after a number of frames (30) or seconds (0.5s).

\b
cyano frames walk.mp4 --out photos
cyano frames walk.mp4 --out photos --every 1s --start 5
cyano reconstruct photos --out model

Exit codes: 0 done; 1 error; 2 usage error; 3 the source ended early, and what came before is written; \
130 interrupted."""

ENDED_EARLY = 3
_QUALITY = 95
_SUMMARY = "frames.json"
_NAME = re.compile(r"frame_\d+\.(jpg|png)")

Out = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Folder of the images; created if missing.",
        show_default=False,
        rich_help_panel=shared.OUTPUT,
    ),
]
Every = Annotated[
    str,
    typer.Option(
        "--every",
        metavar="motion|N|SECONDS",
        help="Length of a group: until the image has moved, frames (30), or seconds (0.5s).",
        rich_help_panel=given.SOURCE,
    ),
]
ImageFormat = Annotated[
    Literal["jpg", "png"], typer.Option("--format", help="Format of the images.", rich_help_panel=shared.OUTPUT)
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the frames of an earlier run in DIR.", rich_help_panel=shared.OUTPUT),
]


def frames(
    source: given.SourceName = None,
    *,
    input_source: given.Input = None,
    out: Out,
    every: Every = "motion",
    max_length: given.MaxLength = None,
    image_glob: given.ImageGlob = None,
    start: given.Start = 0.0,
    end: given.End = None,
    fps: given.Fps = None,
    image_format: ImageFormat = "jpg",
    overwrite: Overwrite = False,
    as_json: shared.AsJson = False,
) -> None:
    """Parse, choose, write; the help is `HELP`."""
    name = given.source_name(source, input_source)
    rhythm = _rhythm(every)
    options = given.source_options(
        every=1, max_length=max_length, image_glob=image_glob, start=start, end=end, fps=fps, newest=False
    )
    _prepare(out, overwrite)
    from cyano.video import open_source
    from cyano.video.selection import choose_frames

    chosen: list[dict[str, Any]] = []
    with watching(aside=as_json) as watcher, open_source(name, options, watcher=watcher) as opened:
        interrupted = False
        try:
            for number, each in enumerate(choose_frames(opened, rhythm), start=1):
                chosen.append(_write(out, each, image_format))
                watcher.at("choosing", number, number)
        except KeyboardInterrupt:
            interrupted = True
        summary = {
            "format": "cyano-chosen-frames-1",
            "source": opened.name,
            "every": every,
            "damaged": opened.damaged,
            "problem": opened.problem or None,
            "frames": chosen,
        }
    _finish(out, summary, as_json)
    if interrupted:
        raise KeyboardInterrupt
    if summary["problem"]:
        raise typer.Exit(ENDED_EARLY)


def _rhythm(every: str) -> Rhythm:
    """How long a group is.

    Raises:
        typer.BadParameter: it is not understood.
    """
    from cyano.video.selection import Rhythm

    if every == "motion":
        return Rhythm()
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s?)", every)
    if found is None or (not found[2] and "." in found[1]):
        raise typer.BadParameter(
            f"--every is motion, a number of frames such as 30, or seconds such as 0.5s, not {every}"
        )
    with shared.usage_errors():
        return Rhythm("seconds" if found[2] else "frames", float(found[1]))


def _prepare(out: Path, overwrite: bool) -> None:
    """Refuse a folder with frames of an earlier run, or remove them.

    Raises:
        typer.BadParameter: it is a file.
        InputError: it holds frames.
    """
    from cyano.errors import InputError

    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is a file, and --out is a folder")
    earlier = [path for path in out.iterdir() if _NAME.fullmatch(path.name)] if out.is_dir() else []
    if earlier and not overwrite:
        raise InputError(f"{out} holds {len(earlier)} frames of an earlier run; give another --out, or --overwrite")
    for path in earlier:
        path.unlink()


def _write(out: Path, chosen: Chosen, image_format: str) -> dict[str, Any]:
    """Write a frame; its line of the summary."""
    from cyano.atomic import write_atomically
    from cyano.viz.encoding import image_bytes

    frame = chosen.frame
    name = f"frame_{frame.index:06d}.{image_format}"
    write_atomically(out / name, image_bytes(frame.rgb, image_format, _QUALITY))
    return {
        "name": name,
        "frame": frame.index,
        "time": None if frame.time is None else round(frame.time, 6),
        "sharpness": round(chosen.sharpness, 2),
        "among": chosen.among,
    }


def _finish(out: Path, summary: dict[str, Any], as_json: bool) -> None:
    """Write and print the summary."""
    from cyano.atomic import write_atomically
    from cyano.concise import json_text

    count = len(summary["frames"])
    if count:
        write_atomically(out / _SUMMARY, json_text(summary).encode("ascii"))
    if as_json:
        print_json(summary)
    among = sum(each["among"] for each in summary["frames"])
    facts = [("frames", f"{count} chosen of {among}"), ("images", str(out)), ("damaged", str(summary["damaged"]))]
    print_facts(result_console(as_json), str(summary["source"]), facts)
    if not count:
        plain_line(error_console(), "note: no frame shows enough to be followed; try --every 1s", style="yellow")
    if summary["problem"]:
        plain_line(error_console(), f"{summary['source']} ended early: {summary['problem']}", style="yellow")
