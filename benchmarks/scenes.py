"""How fast pairs of views of procedural scenes are made, with depth and pose, on one thread.

usage: OMP_NUM_THREADS=1 scripts/bench scenes [--photographs FOLDER] [--repeats N] [--save NAME]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import measuring
from cyano.synthesis.scenes import SceneOptions, make_scene, render, sample_pair
from cyano.synthesis.scenes.sampling import sample_camera
from cyano.synthesis.scenes.viewpoints import sample_viewpoints
from cyano.types import ImageSize

SEED = 0
SIZES = (ImageSize(480, 640), ImageSize(240, 320))
PAIRS_PER_RUN = 10


def photographs(folder: Path | None) -> list[NDArray[np.generic]]:
    """The first hundred JPEG files of a folder as grey images; none without a folder."""
    if folder is None:
        return []
    found = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.glob("*.jpg"))[:100]]
    return [np.asarray(image) for image in found if image is not None]


class Pairs:
    """Pairs through all difficulties; a fixed sequence."""

    def __init__(self, textures: list[NDArray[np.generic]], size: ImageSize) -> None:
        self.textures, self.size = textures, size
        self.rng = np.random.default_rng(SEED)

    def __call__(self) -> None:
        """Make the next pairs."""
        for step in range(PAIRS_PER_RUN):
            options = SceneOptions(size=self.size, difficulty=step / (PAIRS_PER_RUN - 1))
            sample_pair(self.textures, self.rng, options)


class Images:
    """Single images of one scene: the renderer without the making of scenes and the rejected cameras."""

    def __init__(self, textures: list[NDArray[np.generic]], size: ImageSize) -> None:
        self.rng, self.options = np.random.default_rng(SEED), SceneOptions(size=size)
        self.scene = make_scene(textures, self.rng, self.options)

    def __call__(self) -> None:
        """Render the next images."""
        for _ in range(PAIRS_PER_RUN):
            view = sample_viewpoints(self.scene, self.rng, self.options)[0]
            render(self.scene, sample_camera(self.rng, self.options), view)


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, metavar="FOLDER", help="JPEG files for textures")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    textures = photographs(arguments.photographs)
    contenders = {
        f"{name} {size.width}x{size.height}": kind(textures, size)
        for name, kind in (("pairs", Pairs), ("images", Images))
        for size in SIZES
    }
    results: dict[str, Any] = {"photographs": len(textures), "per_run": PAIRS_PER_RUN}
    for name, seconds in measuring.interleaved(contenders, arguments.repeats).items():
        rate = len(seconds) * PAIRS_PER_RUN / sum(seconds)
        results[name] = {**measuring.summary(seconds), "per_second": round(rate, 1)}
        print(f"{name}: {rate:.1f} per second", flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
