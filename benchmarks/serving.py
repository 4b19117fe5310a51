"""The service under load, under 2,000 malformed uploads and bombs, and with its worker killed.

usage: scripts/bench serving [--seconds 60] [--clients 8] [--count 2000] [--seed 0] [--cost] [--save NAME]

Starts `cyano serve` as people do and talks to it over loopback. Fails where an answer is a 5xx other than 503, an error
is not a problem document, or the server is gone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from skimage import data

import measuring
from mutations import mutated

FORMATS = {"JPEG": {"quality": 85}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {"compression": "tiff_lzw"}}
MORE_FORMATS = {"BMP": {}, "GIF": {}, "PPM": {}, "AVIF": {}, "JPEG2000": {}}
WAIT_S = 300.0


@dataclass
class Tally:
    """What came back.

    Attributes:
        statuses: how many of each.
        faults: what must not be, the first of each kind.
        seconds: of the answers of status 200.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, what: str, answer: httpx.Response) -> None:
        """Count an answer."""
        status = answer.status_code
        self.statuses[status] += 1
        if status == 200:
            self.seconds.append(answer.elapsed.total_seconds())
        elif answer.headers.get("content-type") != "application/problem+json":
            self.faults.setdefault("no problem document", f"{what}: {status} {answer.text[:100]}")
        if status >= 500 and status != 503:
            self.faults.setdefault(f"{status}", what)

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return {"statuses": {str(k): v for k, v in sorted(self.statuses.items())}, "faults": self.faults}


class Server:
    """`cyano serve` in a process."""

    def __init__(self) -> None:
        started = time.perf_counter()
        command = [sys.executable, "-m", "cyano", "serve", "--port", "0", "--device", "cpu"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        self.url = self.process.stdout.readline().strip() + "api/v1"
        self.start_s = time.perf_counter() - started

    def client(self) -> httpx.Client:
        """A client of the API."""
        return httpx.Client(base_url=self.url, timeout=WAIT_S)

    def rss_mb(self) -> float:
        """Memory of the server's process."""
        return _status(self.process.pid, "VmRSS")

    def worker(self) -> int | None:
        """Its worker's process."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == self.process.pid and state != "Z":
                return int(stat.parent.name)
        return None


def _status(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000, 1)


def photographs(quality: int = 90) -> list[bytes]:
    """Four pictures of 640 pixels as JPEG; of another quality they are other files."""
    found = []
    for picture in (*data.stereo_motorcycle()[:2], data.astronaut(), data.rocket()):
        image = Image.fromarray(picture)
        image.thumbnail((640, 640))
        found.append(encoded(image, "JPEG", {"quality": quality}))
    return found


def encoded(image: Image.Image, kind: str, options: Mapping[str, Any]) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG file of that size, of whatever chunks."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bombs() -> dict[str, bytes]:
    """Small files that ask for much."""
    flat = Image.new("L", (7000, 7000))
    rows = zlib.compress(bytes(7001 * 7000), 9)
    small = zlib.compress(bytes(65 * 64))
    text = zlib.compress(bytes(200_000_000), 9)
    huge_jpeg = bytearray(encoded(Image.new("L", (64, 64)), "JPEG", {}))
    place = huge_jpeg.index(b"\xff\xc0")
    huge_jpeg[place + 5 : place + 9] = struct.pack(">HH", 65500, 65500)
    frames = [Image.new("L", (1000, 1000), shade) for shade in range(50)]
    return {
        "PNG of 2.5 gigapixels": png(50_000, 50_000, chunk(b"IDAT", rows)),
        "PNG of 49 megapixels": png(7000, 7000, chunk(b"IDAT", rows)),
        "PNG that unpacks to more than its size": png(100, 100, chunk(b"IDAT", rows)),
        "PNG with a text of 200 MB": png(64, 64, chunk(b"zTXt", b"a\0\0" + text), chunk(b"IDAT", small)),
        "PNG with a profile of 200 MB": png(64, 64, chunk(b"iCCP", b"a\0\0" + text), chunk(b"IDAT", small)),
        "JPEG of 4.3 gigapixels": bytes(huge_jpeg),
        "WebP of 268 megapixels": encoded(Image.new("L", (16383, 16383)), "WEBP", {"lossless": True, "method": 0}),
        "TIFF of 400 megapixels": encoded(Image.new("L", (20_000, 20_000)), "TIFF", {"compression": "tiff_deflate"}),
        "TIFF of 49 megapixels": encoded(flat, "TIFF", {"compression": "tiff_deflate"}),
        "GIF of 50 frames": encoded(frames[0], "GIF", {"save_all": True, "append_images": frames[1:]}),
    }


def matching(client: httpx.Client, ids: list[str], number: int) -> httpx.Response:
    """A pair that nobody asked for before: options decide, and no answer is kept."""
    first, second = ids[number % 4], ids[(number // 4 + 1) % 4]
    options = {"max_keypoints": 512, "match_threshold": 0.2 + (number % 100_000) * 1e-6}
    return client.post("/matches", json={"image0": first, "image1": second, "options": options})


def load(server: Server, ids: list[str], clients: int, seconds: float) -> dict[str, Any]:
    """Clients that match without a pause, and one that asks for the server's health."""
    tally, lock, numbers = Tally(), threading.Lock(), iter(range(10**9))
    end = time.perf_counter() + seconds
    health: list[float] = []
    before = server.rss_mb()

    def match() -> None:
        with server.client() as client:
            while time.perf_counter() < end:
                with lock:
                    number = next(numbers)
                answer = matching(client, ids, number)
                with lock:
                    tally.add(f"pair {number}", answer)
                if answer.status_code == 429:
                    time.sleep(0.2)

    def ask() -> None:
        with server.client() as client:
            while time.perf_counter() < end:
                health.append(client.get("/health").elapsed.total_seconds())
                time.sleep(0.05)

    threads = [threading.Thread(target=match) for _ in range(clients)] + [threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "clients": clients,
        "seconds": seconds,
        **tally.told(),
        "matches_per_s": round(tally.statuses[200] / seconds, 2),
        "answer": measuring.summary(tally.seconds),
        "health_p50_ms": round(1000 * statistics.median(health), 2),
        "health_p99_ms": round(1000 * statistics.quantiles(health, n=100)[98], 2),
        "server_rss_mb": [before, server.rss_mb()],
    }


def malformed(server: Server, count: int, seed: int) -> dict[str, Any]:
    """Damaged images and bombs, one after the other."""
    rng, tally, bombed = np.random.default_rng(seed), Tally(), Tally()
    image = Image.fromarray(data.astronaut()).resize((160, 120))
    sound = [encoded(image, kind, options) for kind, options in {**FORMATS, **MORE_FORMATS}.items()]
    before, workers, longest = server.rss_mb(), {server.worker()}, 0.0
    outcomes = {}
    with server.client() as client:
        for number in range(count):
            started = time.perf_counter()
            tally.add(f"file {number}", client.put("/images", content=mutated(sound[number % len(sound)], rng)))
            longest = max(longest, time.perf_counter() - started)
            workers.add(server.worker())
        for name, content in bombs().items():
            answer = client.put("/images", content=content)
            bombed.add(name, answer)
            outcomes[name] = answer.status_code
            workers.add(server.worker())
        alive = client.get("/health").json()["status"]
    return {
        "files": count,
        "seed": seed,
        **tally.told(),
        "longest_s": round(longest, 2),
        "bombs": outcomes,
        "bombs_faults": bombed.faults,
        "workers_ended": len(workers - {None}) - 1,
        "server_rss_mb": [before, server.rss_mb()],
        "alive": alive,
    }


def killed(server: Server, ids: list[str]) -> dict[str, Any]:
    """The worker ends by SIGKILL while it matches."""
    answers: list[httpx.Response] = []
    with server.client() as client, server.client() as other:
        options = {"resize": 1600, "max_keypoints": 4096, "layers": None}
        body = {"image0": ids[0], "image1": ids[1], "options": options}
        thread = threading.Thread(target=lambda: answers.append(other.post("/matches", json=body)))
        thread.start()
        time.sleep(1.0)
        pid = server.worker()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        thread.join()
        started = time.perf_counter()
        after = matching(client, ids, 999_999)
        return {
            "status": answers[0].status_code,
            "next": after.status_code,
            "next_s": round(time.perf_counter() - started, 2),
        }


def again(client: httpx.Client, rounds: int) -> dict[str, Any]:
    """A pair that nobody asked for before, then the same images with another threshold, and the same question again."""
    asked: dict[str, list[float]] = {"first_match": [], "same_images_other_threshold": [], "same_again": []}
    for number in range(rounds):
        files = {f"image{k}": (f"{k}.jpg", content) for k, content in enumerate(photographs(80 + number)[:2])}
        for name, options in zip(asked, ({}, {"match_threshold": "0.3"}, {}), strict=True):
            asked[name].append(client.post("/match", files=files, data=options).elapsed.total_seconds())
    told: dict[str, Any] = {f"{name}_s": measuring.summary(seconds) for name, seconds in asked.items()}
    pairs = zip(asked["first_match"], asked["same_images_other_threshold"], strict=True)
    told["times_faster"] = round(statistics.median(first / other for first, other in pairs), 2)
    return told


def cost(server: Server, files: list[bytes]) -> dict[str, Any]:
    """From the start to the first answer, beside the command, and the same images again."""
    with tempfile.TemporaryDirectory() as folder, server.client() as client:
        paths = [Path(folder) / f"{number}.jpg" for number in range(2)]
        for path, content in zip(paths, files, strict=False):
            path.write_bytes(content)
        first = client.post("/match", files={f"image{k}": (f"{k}.jpg", files[k]) for k in (0, 1)})
        started = time.perf_counter()
        command = [sys.executable, "-m", "cyano", "match", *map(str, paths), "--json", "--device", "cpu"]
        subprocess.run(command, check=True, capture_output=True)
        alone = time.perf_counter() - started
        return {
            "start_to_first_answer_s": round(server.start_s + first.elapsed.total_seconds(), 2),
            "command_s": round(alone, 2),
            **again(client, 9),
        }


@contextmanager
def served() -> Iterator[Server]:
    """While a server runs."""
    server = Server()
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(30)


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cost", action="store_true", help="measure what answers cost, and nothing else")
    parser.add_argument("--save")
    arguments = parser.parse_args()
    files = photographs()
    with served() as server:
        results: dict[str, Any] = {"cost": cost(server, files)}
        if arguments.cost:
            print(json.dumps(results, indent=1))
            if arguments.save:
                measuring.save(arguments.save, arguments.seed, results)
            return
        with server.client() as client:
            ids = [client.put("/images", content=content).json()["id"] for content in files]
        results["load"] = load(server, ids, arguments.clients, arguments.seconds)
        print(json.dumps(results), flush=True)
        results["killed"] = killed(server, ids)
        results["malformed"] = malformed(server, arguments.count, arguments.seed)
        results["exit"] = server.process.poll()
    print(json.dumps(results, indent=1))
    if arguments.save:
        measuring.save(arguments.save, arguments.seed, results)
    faults = [results["load"]["faults"], results["malformed"]["faults"], results["malformed"]["bombs_faults"]]
    if (
        any(faults)
        or results["exit"] is not None
        or (results["killed"]["status"], results["killed"]["next"]) != (503, 200)
    ):
        raise SystemExit("the service did not bear it")


if __name__ == "__main__":
    main()
