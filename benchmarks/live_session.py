"""Live pictures for a long time: memory over many frames, and how old a shown frame is.

usage: scripts/bench live_session [--frames 10000] [--seconds 30] [--rate 30] [--save NAME]

*memory* tracks a generated pan of small frames and tells the process's resident memory every tenth of them. *age* has a
made-up camera that gives frames of 640 x 480 pixels at a rate, and tells how old each frame is when it is shown, beside
what it may be: one frame of the camera and the time that matching took. *pages* sends frames of 200 kB through the
server to a page that says that it has shown them, and to one that never does.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import data

import measuring
from cyano.checkpoints import load
from cyano.checkpoints.catalogue import for_live
from cyano.live import LiveOptions, LiveSession
from cyano.options import MatcherOptions
from cyano.page.settings import LiveSource, Settings
from cyano.tracking import TrackOptions
from cyano.video import Frame, SourceOptions
from cyano.video.cameras import CameraReader
from cyano.video.readers import Reader
from cyano.video.source import Source
from support.serving import serving


def rss_mb() -> float:
    """Resident memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000, 1)


PHOTOGRAPH = np.tile(data.astronaut(), (1, 2, 1))


def pan(number: int, height: int, width: int) -> NDArray[np.uint8]:
    """A window that goes to and fro over a photograph, (height, width, 3)."""
    room = PHOTOGRAPH.shape[1] - width
    at = abs((4 * number) % (2 * room) - room)
    return np.ascontiguousarray(PHOTOGRAPH[:height, at : at + width])


class Pan(Reader):
    """So many frames of it, as fast as they are taken."""

    kind = "movie"

    def __init__(self, frames: int) -> None:
        super().__init__("pan")
        self._count = frames

    def _frames(self, options: SourceOptions) -> Iterator[Frame]:
        for number in range(self._count):
            self._note()
            yield Frame(number, pan(number, 96, 128), number / 30)

    def close(self) -> None:
        """Nothing is open."""


class Camera:
    """Gives a frame whenever one is due, and knows when it was."""

    def __init__(self, rate: float) -> None:
        self._rate, self._begun, self._count, self._over = rate, time.monotonic(), 0, False
        self.taken: dict[int, float] = {}
        self._pictures = [pan(number, 480, 640) for number in range(120)]

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """It can be read."""
        return True

    def read(self) -> tuple[bool, Any]:
        """The next frame, once it is due."""
        due = self._begun + self._count / self._rate
        time.sleep(max(0.0, due - time.monotonic()))
        if self._over:
            return False, None
        self.taken[self._count] = time.monotonic()
        self._count += 1
        return True, self._pictures[self._count % len(self._pictures)][:, :, ::-1]

    def release(self) -> None:
        """Give no more."""
        self._over = True


def memory(frames: int) -> dict[str, Any]:
    """Resident memory while a session runs."""
    matching = MatcherOptions(max_keypoints=64, layers=1)
    options = LiveOptions(load(for_live(None)), matching, TrackOptions("keyframe", min_matches=5))
    session, told = LiveSession(Source(Pan(frames), SourceOptions()), options), {}
    every, started = max(1, frames // 10), time.perf_counter()
    done = threading.Event()

    def changed() -> None:
        shown = session.latest()
        if shown.seen is not None and (shown.seen.frame.index + 1) % every == 0:
            told[shown.seen.frame.index + 1] = rss_mb()
            print(told, file=sys.stderr, flush=True)
        if shown.state["state"] != "running":
            done.set()

    session.listen(changed)
    session.start()
    done.wait()
    session.close()
    values = list(told.values())
    grown = round(max(values[1:]) - values[0], 1)
    return {"frames": frames, "seconds": round(time.perf_counter() - started, 1), "rss_mb": told, "grown_mb": grown}


def age(seconds: float, rate: float) -> dict[str, Any]:
    """Of frames when they are shown."""
    camera = Camera(rate)
    options = LiveOptions(load(for_live(None)), MatcherOptions(), TrackOptions("first", min_matches=10))
    session = LiveSession(Source(CameraReader("camera", lambda: camera), SourceOptions()), options)
    begun: dict[int, float] = {}
    ages: list[tuple[float, float]] = []
    push = session._tracker.push

    def timed(frame: Frame) -> Any:
        begun[frame.index] = time.monotonic()
        return push(frame)

    def changed() -> None:
        shown, now = session.latest(), time.monotonic()
        if shown.seen is not None and shown.seen.frame.index in begun:
            number = shown.seen.frame.index
            ages.append((now - camera.taken[number], now - begun.pop(number)))

    session._tracker.push = timed  # type: ignore[method-assign]
    session.listen(changed)
    session.start()
    time.sleep(seconds)
    camera.release()
    session.close()
    kept = ages[3:]  # the first ones wait for memory and threads
    late = [whole - matched for whole, matched in kept]
    within = sum(each <= 1 / rate + 0.005 for each in late)
    return {
        "rate": rate,
        "shown": len(kept),
        "given": len(camera.taken),
        "age": measuring.summary([whole for whole, _ in kept]),
        "match": measuring.summary([matched for _, matched in kept]),
        "waited": measuring.summary(late),
        "within_one_frame_and_one_match": round(within / len(kept), 3),
    }


def pages(frames: int) -> dict[str, Any]:
    """The server's memory while frames go by a page that shows them and one that does not."""
    with serving(Settings(live=LiveSource("fake"))) as served, served.watch() as quick, served.watch() as slow:
        before, shown, last = rss_mb(), 0, -1
        for start in range(0, frames, 100):
            quick.send(json.dumps({"command": "next", "value": 100}))
            while last < start + 99:
                content = quick.recv(timeout=60)
                if isinstance(content, bytes):
                    last = json.loads(content[4 : 4 + int.from_bytes(content[:4], "little")])["frame"]
                    quick.send(json.dumps({"command": "shown"}))
                    shown += 1
        after = rss_mb()
        slow.recv(timeout=60)
    return {"frames": frames, "kB_a_frame": 200, "shown": shown, "rss_mb": [before, after]}


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results = {"pages": pages(arguments.frames), "age": age(arguments.seconds, arguments.rate)}
    print(json.dumps(results), flush=True)
    results["memory"] = memory(arguments.frames)
    print(json.dumps(results["memory"]))
    if arguments.save:
        measuring.save(arguments.save, 0, results)


if __name__ == "__main__":
    main()
