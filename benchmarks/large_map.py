"""How fast a large map opens, and what it takes in memory: features, model and global descriptors are generated.

usage: scripts/bench large_map [--images N] [--keypoints N] [--small N] [--folder DIR] [--save NAME]

Points lie in a long wall, along which each image stands a step farther; descriptors are random, one for each point. A
map of N images is opened in a process of its own, twice: the second finds the files in the system's cache and the
global descriptors kept. Seconds until it is open, until the first images most alike are known, and for those of a second
query; memory in MB above that of the process before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

import measuring
from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.store import StoredImage
from cyano.types import ImageSize, ResizeMap

SEED = 0
SIZE = ImageSize(480, 640)


def generate(folder: Path, images: int, keypoints: int) -> None:
    """Write a map."""
    rng = np.random.default_rng(SEED)
    per_step = keypoints // 8
    count = (images + 8) * per_step
    points = np.column_stack([np.repeat(np.arange(images + 8), per_step) * 0.1, *rng.uniform(-1, 1, (2, count))])
    width = Recipe(load()).matcher().extract([np.zeros((64, 64), np.uint8)])[0].descriptors.shape[1]
    store = Recipe(load()).features(folder / "store")
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(camera_id=1, model="SIMPLE_PINHOLE", width=640, height=480, params=[500, 320, 240])
    )
    tracks: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    batch: list[StoredImage] = []
    for number in range(images):
        seen = np.arange(number * per_step, (number + 8) * per_step)
        places = rng.uniform(0, 480, (len(seen), 2)).astype(np.float32)
        rows = np.stack([np.random.default_rng(row).normal(size=width) for row in seen[:: len(seen) // 8]])
        rows = np.repeat(rows, per_step, axis=0) + 0.3 * rng.normal(size=(len(seen), width))
        descriptors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        name = f"{number:05}.jpg"
        batch.append(
            StoredImage(name, "0", places, np.ones(len(seen), np.float32), descriptors, ResizeMap.identity(SIZE))
        )
        if len(batch) == 64 or number == images - 1:
            store.write(batch)
            batch = []
        image = pycolmap.Image(image_id=number + 1, name=name, camera_id=1, keypoints=places + 0.5)
        pose = np.column_stack([np.eye(3), (-0.1 * number, 0, 3)])
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
        for row, point in enumerate(seen):
            tracks[point].append((number + 1, row))
    for point, track in zip(points, tracks, strict=True):
        if len(track) > 1:
            model.add_point3D(point, pycolmap.Track([pycolmap.TrackElement(*each) for each in track]))
    (folder / "sparse" / "0").mkdir(parents=True)
    model.write(str(folder / "sparse" / "0"))


OPEN = """
import json, resource, sys, time
from pathlib import Path
import numpy as np, torch, pycolmap, sklearn.cluster
from cyano.checkpoints import load
from cyano.engine import Recipe
from cyano.localisation import Map
recipe = Recipe(load())
def resident():
    line = next(each for each in open("/proc/self/status") if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
before = resident()
start = time.perf_counter()
place = Map.open(Path(sys.argv[1]), recipe)
opened = time.perf_counter() - start
asked = place.features(place.names[7]).descriptors.numpy()
start = time.perf_counter()
first = place.most_alike(asked, 10)
described = time.perf_counter() - start
start = time.perf_counter()
place.most_alike(asked, 10)
place.neighbours(np.arange(200), first)
again = time.perf_counter() - start
told = {"open s": round(opened, 2), "first retrieval s": round(described, 2), "next retrieval s": round(again, 3)}
print(json.dumps({**told, "resident MB": round(resident() - before), "found": place.names[7] in first}))
"""


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--small", type=int, default=50)
    parser.add_argument("--keypoints", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="for the maps; a temporary one without it")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"keypoints": arguments.keypoints}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as out:
        for images in (arguments.small, arguments.images):
            folder = Path(out) / str(images)
            generate(folder, images, arguments.keypoints)
            for run in ("first", "second"):
                done = subprocess.run([sys.executable, "-c", OPEN, folder], capture_output=True, text=True, check=True)
                results[f"{images} images, {run} time"] = json.loads(done.stdout)
                print(images, run, results[f"{images} images, {run} time"], flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
