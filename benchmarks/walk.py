"""A newcomer's walk: the site from a clean clone, a fresh environment, and the tutorials as the built pages show them.

usage: scripts/walk [--only CHAPTER ...] [--save NAME]

A chapter is a page, or some of its sections. Its commands are what the page shows: the extras that it says it needs,
and its blocks of commands. `pip install` runs in the clone, all else in a folder of the chapter with generated
photographs. A service is waited for, and ended with the chapter. Afterwards the chapter's Python runs as one program.
A chapter fails if a command does, or if there are more than five. The packages come from where pip takes them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import measuring
from cyano.video import VideoWriter
from support.walk import render_walk, write_view

ROOT = Path(__file__).parents[1]
MOST = 5
"""Commands of a chapter."""

BLOCK = re.compile(r'<div class="highlight-(sh|shell|console|python) [^"]*">.*?<pre>(.*?)</pre>', re.DOTALL)
EXTRA = re.compile(r"<code[^>]*>(?:<span[^>]*>|\s)*(pip.*?\.\[\w+\].*?)</code>", re.DOTALL)
TAG = re.compile(r"<[^>]*>")
HEADING = re.compile(r"<h2>.*?</h2>", re.DOTALL)


@dataclass(frozen=True)
class Chapter:
    """What a newcomer reads in one go.

    Attributes:
        name: of its row.
        page: in the site, without the ending.
        sections: the first and the one after the last, in order; None for all. 0 is what precedes the first heading.
        after: the chapter whose folder this one goes on in; None for one with fresh photographs.
    """

    name: str
    page: str
    sections: tuple[int, int] | None = None
    after: str | None = None


CHAPTERS = (
    Chapter("start", "start"),
    Chapter("pair", "tutorials/two-photographs"),
    Chapter("collection", "tutorials/model"),
    Chapter("localise", "tutorials/where"),
    Chapter("page", "tutorials/service", (0, 3)),
    Chapter("localise through the page", "tutorials/service", (3, 4), after="localise"),
    Chapter("training", "tutorials/train"),
    Chapter("export", "tutorials/export"),
)


def plain(markup: str) -> str:
    """The text that a reader sees."""
    return unescape(TAG.sub("", markup))


def commands(language: str, block: str) -> Iterator[str]:
    """Those of a block: each line, of a console those after the prompt."""
    for line in block.replace("\\\n", " ").splitlines():
        if language == "console":
            if line.startswith("$ "):
                yield line.removeprefix("$ ")
        elif line.strip():
            yield line


def read(site: Path, chapter: Chapter) -> tuple[list[str], str]:
    """The commands of a chapter, and its Python."""
    article = (site / f"{chapter.page}.html").read_text().partition("<article")[2].partition("</article>")[0]
    first, end = chapter.sections or (0, None)
    lines: list[str] = []
    python = []
    for text in HEADING.split(article)[first:end]:
        found = [(match.start(), plain(match[1]), "extra") for match in EXTRA.finditer(text)]
        found += [(match.start(), plain(match[2]), match[1]) for match in BLOCK.finditer(text)]
        for _, content, language in sorted(found):
            if language == "python":
                python.append(content)
            elif language != "extra" or chapter.page != "start":  # the table there lists all extras
                lines += [content] if language == "extra" else commands(language, content)
    return lines, "\n".join(python)


def take_photographs(folder: Path) -> None:
    """What the tutorials speak of: `a.jpg`, `b.jpg`, the folders scene, walk, photos and others, new.png, walk.mp4."""
    views = render_walk(at=[0.5 * step for step in range(22)], step_deg=7)
    taken = {"scene": views[0:16:2], "walk": views[5:9:2], "photos": views[0:22:2], "others": views[1:22:2]}
    for name, chosen in taken.items():
        (folder / name).mkdir(parents=True)
        for number, view in enumerate(chosen):
            write_view(view, folder / name / f"{number}.png")
    write_view(views[7], folder / "new.png")
    pixels = [np.round(view.image * 255).astype(np.uint8) for view in views]
    for name, grey in (("a.jpg", pixels[0]), ("b.jpg", pixels[2])):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 30  # FocalLengthIn35mmFilm
        Image.fromarray(grey).save(folder / name, quality=95, exif=exif)
    with VideoWriter(folder / "walk.mp4", "mp4v", rate=4.0) as movie:
        for grey in pixels:
            movie.add(np.repeat(grey[..., None], 3, axis=2))


def run(command: str, folder: Path, environment: dict[str, str], log: Path) -> int:
    """The exit status of a command; what it prints is appended to `log`."""
    with log.open("ab") as output:
        output.write(f"$ {command}\n".encode())
        output.flush()
        return subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, stdout=output, stderr=output, check=False
        ).returncode


@contextmanager
def serving(command: str, folder: Path, environment: dict[str, str], log: Path) -> Iterator[bool]:
    """A service for as long as the block runs, and whether it became healthy."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as service,
    ):
        assert service.stdout is not None  # noqa: S101 - a pipe
        address = service.stdout.readline().strip()
        try:
            with urllib.request.urlopen(f"{address}api/v1/health", timeout=60) as answer:
                yield json.load(answer)["status"] == "ok"
        except (OSError, ValueError):
            yield False
        finally:
            service.send_signal(signal.SIGINT)  # Ctrl-C, as the page says
            service.communicate(timeout=60)


def follow(lines: list[str], clone: Path, folder: Path, environment: dict[str, str], log: Path) -> str | None:
    """Do what a chapter says, with shell variables from line to line; the first command that fails."""
    assigned = ""
    with ExitStack() as stack:
        for line in lines:
            if line.startswith("cyano serve"):
                done = stack.enter_context(serving(line, folder, environment, log))
            elif re.match(r"\w+=", line):
                assigned += f"{line}\n"
                done = True
            else:
                where = clone if re.match(r"pip |python3 -m venv|\. ", line) else folder
                done = run(assigned + line, where, environment, log) == 0
            if not done:
                return line
    return None


def walk(chapter: Chapter, site: Path, clone: Path, folder: Path) -> dict[str, Any]:
    """A chapter's row: commands, seconds, and what failed."""
    lines, python = read(site, chapter)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PATH": f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    (folder / ".curlrc").write_text("fail\n")  # an answer that is an error is one
    environment["CURL_HOME"] = str(folder)
    log, started = folder.with_suffix(".log"), time.perf_counter()
    failed = follow(lines, clone, folder, environment, log)
    if python and failed is None:
        (folder / "program.py").write_text(python)
        failed = "program.py" if run("python program.py", folder, environment, log) else None
    count = len(lines)
    if failed:
        print(log.read_text()[-3000:], file=sys.stderr)
    elif not 0 < count <= MOST:
        failed = f"{count} commands"
    row = {"page": chapter.page, "commands": lines, "python": bool(python)}
    return {**row, "count": count, "seconds": round(time.perf_counter() - started, 1), "failed": failed}


def build(clone: Path) -> dict[str, Any]:
    """Build the site in the clone by its own command: seconds with and without the installation, and warnings."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    begun = time.perf_counter()
    subprocess.run(["scripts/setup", "docs"], cwd=clone, env=environment, check=True, capture_output=True)
    installed = time.perf_counter()
    built = subprocess.run(["scripts/docs"], cwd=clone, env=environment, check=False, capture_output=True, text=True)
    if built.returncode:
        sys.exit(built.stderr)
    ended = time.perf_counter()
    pages = len(list((clone / "build" / "site").rglob("*.html")))
    seconds = {"install_s": round(installed - begun, 1), "build_s": round(ended - installed, 1)}
    return {**seconds, "warnings": len(built.stderr.splitlines()), "pages": pages}


def main() -> None:
    """Build, read, walk, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[each.name for each in CHAPTERS],
        help="after start, these alone; others stay as saved",
    )
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        root, clone, site = Path(scratch), Path(scratch) / "cyano", Path(scratch) / "site"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        rows["site"] = build(clone)
        print("site", rows["site"], flush=True)
        shutil.move(clone / "build" / "site", site)
        shutil.rmtree(clone / ".venv")  # the newcomer's is fresh
        subprocess.run([sys.executable, "-m", "venv", str(clone / ".venv")], check=True)
        torch = re.search(r"^torch==\S+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        assert torch is not None  # noqa: S101 - named there
        # First, as the page advises for machines without a GPU.
        subprocess.run([clone / ".venv/bin/python", "-m", "pip", "install", "--quiet", torch[0]], check=True)
        take_photographs(root / "photographs")
        for chapter in CHAPTERS:
            if arguments.only and chapter.name not in ("start", *arguments.only):
                continue
            folder = root / chapter.name.replace(" ", "-")
            shutil.copytree(root / (chapter.after or "photographs"), folder)
            rows[chapter.name] = walk(chapter, site, clone, folder)
            shown = {key: rows[chapter.name][key] for key in ("count", "seconds", "failed")}
            print(f"{chapter.name:26}", shown, flush=True)
    if arguments.save:
        saved = measuring.RESULTS / f"{arguments.save}.json"
        if arguments.only and saved.exists():
            rows = json.loads(saved.read_text())["results"] | rows
        print("wrote", measuring.save(arguments.save, 0, rows))
    sys.exit(any(row.get("failed") for row in rows.values()))


if __name__ == "__main__":
    main()
