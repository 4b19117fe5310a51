"""`cyano frames`: sharp, different frames of a movie, for a reconstruction."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyano.cli import arguments as shared
from cyano.cli.output import error_console, plain_line, print_facts, print_json, print_notes, result_console, watching
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
    if out.exists() and not out.is_dir():
        raise typer.BadParameter(f"{out} is a file, and --out is a folder")
    from cyano.video import open_source
    from cyano.video.selection import choose_frames

    chosen: list[dict[str, Any]] = []
    lines = _elsewhere(sys.stdin.buffer, out) if name == "-" else None
    with watching(aside=as_json) as watcher, open_source(name, options, watcher=watcher, lines=lines) as opened:
        _need_elsewhere(out, name, opened.files)
        earlier = _earlier(out, overwrite)
        interrupted = False
        try:
            for number, each in enumerate(choose_frames(opened, rhythm), start=1):
                chosen.append(_write(out, each, image_format))
                if number == 1:
                    _remove(out, earlier - {chosen[0]["name"]})
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


def _need_elsewhere(out: Path, source: str, files: Iterable[Path]) -> None:
    """Refuse to write among the images that are read.

    Raises:
        InputError: a file of the source, or the source itself, is in the folder.
    """
    from cyano.errors import InputError

    folders = {
        Path(source).resolve(),
        *(path for file in files for path in (file.parent.resolve(), file.resolve().parent)),
    }
    if out.resolve() in folders:
        raise InputError(f"images of {source} are in {out}, where frames would replace them; give another --out")


def _elsewhere(lines: Iterable[bytes], out: Path) -> Iterator[bytes]:
    """Lines with names of images, of which none is in a folder; errors are those of `_need_elsewhere`."""
    from cyano.video.images import names_from

    for line in lines:
        _need_elsewhere(out, "standard input", names_from([line]))
        yield line


def _earlier(out: Path, overwrite: bool) -> set[str]:
    """The frames of an earlier run in a folder, which others are to replace.

    Raises:
        InputError: there are some, and they are not to be replaced; or it holds others that nobody lists.
    """
    from cyano.errors import InputError
    from cyano.reading import read_json, refusing

    summary, another = out / _SUMMARY, "give another --out"
    found = {path.name for path in out.iterdir() if _NAME.fullmatch(path.name)} if out.is_dir() else set()
    if (found or summary.exists()) and not overwrite:
        raise InputError(f"{out} holds {len(found)} frames of an earlier run; {another}, or --overwrite")
    listed: set[str] = set()
    if summary.exists():
        with refusing(summary, another):
            listed = {each["name"] for each in read_json(summary, remedy=another)["frames"]}
    foreign = sorted(found - listed)
    if foreign:
        raise InputError(
            f"{out} holds {len(foreign)} images that {_SUMMARY} does not list, first {foreign[0]}; {another}"
        )
    return found


def _remove(out: Path, names: Iterable[str]) -> None:
    """Remove frames.

    Raises:
        OutputError: that cannot be.
    """
    from cyano.atomic import written

    for name in names:
        with written(out / name):
            (out / name).unlink(missing_ok=True)


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
        print_notes(["no frame shows enough to be followed; try --every 1s"])
    if summary["problem"]:
        plain_line(error_console(), f"{summary['source']} ended early: {summary['problem']}", style="yellow")
