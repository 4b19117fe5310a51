"""How long a generated map of many images takes to open, and the memory that it holds, beside a map of few.

usage: scripts/bench large_map [--images N] [--keypoints N] [--keep FOLDER] [--save NAME]

The map is made of random features and points: its networks never see an image. A small map (50 images) and the large
one are opened each in a process of its own; what the process held before is subtracted. No image is asked for: what a
localisation adds are the images that it matches (`Map` keeps 256 at most).
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.localisation import Map
from cyano.store import StoredImage
from cyano.types import ImageSize, ResizeMap

SEED = 0
SMALL = 50
TRACK = 5
SIZE = ImageSize(480, 640)


def write_map(folder: Path, images: int, keypoints: int) -> None:
    """Features of random descriptors, and a model whose points are seen by five neighbouring images each."""
    rng = np.random.default_rng(SEED)
    places = rng.uniform((5, 5), (635, 475), (keypoints, 2)).astype(np.float32)
    store = Recipe(load()).features(folder / "store")
    for start in range(0, images, 100):
        store.write(list(stored(rng, range(start, min(start + 100, images)), places)))
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    groups = images // TRACK
    (sparse / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 1, 1, 640, 480, 500, 500, 320, 240))
    with (sparse / "images.bin").open("wb") as file:
        file.write(struct.pack("<Q", images))
        rows = np.zeros(keypoints, [("x", "<f8"), ("y", "<f8"), ("point", "<i8")])
        rows["x"], rows["y"] = (places + 0.5).T
        for number in range(images):
            group = number // TRACK
            rows["point"] = group * keypoints + np.arange(keypoints) + 1 if group < groups else -1
            file.write(struct.pack("<i7di", number + 1, 1, 0, 0, 0, float(number), 0, 0, 1))
            file.write(f"{number:05d}.jpg\0".encode() + struct.pack("<Q", keypoints) + rows.tobytes())
    track = [("image", "<i4"), ("keypoint", "<i4")]
    points = np.zeros(
        keypoints, [("id", "<i8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("n", "<i8"),
                    ("track", track, TRACK)]
    )  # fmt: skip
    points["n"], points["track"]["keypoint"] = TRACK, np.arange(keypoints)[:, None]
    with (sparse / "points3D.bin").open("wb") as file:
        file.write(struct.pack("<Q", groups * keypoints))
        for group in range(groups):
            points["id"] = group * keypoints + np.arange(keypoints) + 1
            points["xyz"] = rng.normal((group * TRACK, 0, 10), size=(keypoints, 3))
            points["track"]["image"] = group * TRACK + np.arange(TRACK) + 1
            file.write(points.tobytes())


def stored(rng: np.random.Generator, numbers: range, places: np.ndarray) -> Iterator[StoredImage]:
    """Images with the same places and random descriptors, which are drawn once for a hundred of them."""
    descriptors = rng.normal(size=(len(places), 256)).astype(np.float32)
    descriptors = (descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)).astype(np.float16)
    scores, frame = np.linspace(1, 0.1, len(places), dtype=np.float32), ResizeMap(SIZE, SIZE)
    for number in numbers:
        yield StoredImage(f"{number:05d}.jpg", "0", places, scores, np.roll(descriptors, number, axis=0), frame)


def opened(folder: Path) -> dict[str, float]:
    """In this process: seconds, and MiB more than before."""
    recipe = Recipe(load())
    import pycolmap

    pycolmap.Reconstruction()
    before, start = resident_mib(), time.perf_counter()
    cpu = time.process_time()
    place = Map.open(folder, recipe)
    return {
        "images": len(place.names),
        "points": len(place.model.points),
        "open_s": round(time.perf_counter() - start, 2),
        "open_cpu_s": round(time.process_time() - cpu, 2),
        "resident_MiB": round(resident_mib() - before, 1),
    }


def resident_mib() -> float:
    """What this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell how much memory a process holds")


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--keypoints", type=int, default=1024)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for the maps, which stay there")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(opened(arguments.child)))
        return
    results: dict[str, Any] = {"keypoints": arguments.keypoints, "points seen by": TRACK}
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or Path(scratch)
        for count in (SMALL, arguments.images):
            folder = root / f"map{count}"
            if not folder.exists():
                write_map(folder, count, arguments.keypoints)
            command = [sys.executable, __file__, "--child", str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results[f"{count} images"] = json.loads(done.stdout)
            print(count, done.stdout.strip(), flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
