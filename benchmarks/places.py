"""Real places to train on: every set of photographs is reconstructed, and what the models teach is counted.

usage: scripts/bench places OUT SET [SET ...] [--max-keypoints N] [--top-k N] [--save NAME]

A SET is a folder of photographs of one place, with cameras.txt (file width height focal_px a line, 0 for a focal length
that is not known). Each becomes OUT/NAME, the folder of `cyano reconstruct`, with a link `images` to the photographs,
as `cyano train --reconstruction OUT/NAME` takes it. What is done is not done again, so the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cyano.checkpoints import load
from cyano.collection import Collection, reconstruct
from cyano.engine import Recipe
from cyano.errors import CyanoError
from cyano.formats import CameraOptions
from cyano.options import MatcherOptions
from cyano.pairs import PairOptions

SEED = 0
_EXHAUSTIVE = 20  # images up to which all pairs are matched; of larger sets those that look most alike
_SAME = 1.01  # focal lengths of one lens, by what their files say


def cameras_of(folder: Path) -> CameraOptions:
    """One camera for photographs of one focal length (also where none is known), else one for each."""
    rows = [line.split() for line in (folder / "cameras.txt").read_text().splitlines() if line.strip()]
    sizes = {(int(row[1]), int(row[2])) for row in rows}
    focals = [float(row[3]) for row in rows]
    known = [focal for focal in focals if focal]
    if known and max(known) > _SAME * min(known):
        return CameraOptions()
    if len(known) < len(focals) or len(sizes) > 1:
        return CameraOptions(sharing="all")
    ((width, height),) = sizes
    return CameraOptions(sharing="all", params=(known[0], width / 2, height / 2, 0.0))


def make_model(folder: Path, out: Path, max_keypoints: int, top_k: int) -> None:
    """Reconstruct a set, or what is left to do of it."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "images").exists():
        (out / "images").symlink_to(folder.resolve())
    collection = Collection(folder, out, Recipe(load(), MatcherOptions(max_keypoints=max_keypoints)))
    small = len(collection.names()) <= _EXHAUSTIVE
    pairs = PairOptions() if small else PairOptions("retrieval", top_k=top_k)
    done = reconstruct(collection, pairs, cameras=cameras_of(folder))
    print(folder.name, done.model, flush=True)


def main() -> None:
    """Parse the arguments, reconstruct, count, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--max-keypoints", type=int, default=1024)
    parser.add_argument("--top-k", type=int, default=12, help="of retrieval, for sets of more than 20 photographs")
    arguments = parser.parse_args()
    for folder in arguments.sets:
        try:
            make_model(folder, arguments.out / folder.name, arguments.max_keypoints, arguments.top_k)
        except CyanoError as error:
            print(folder.name, "has no model:", error, flush=True)


if __name__ == "__main__":
    main()
