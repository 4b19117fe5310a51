"""What a matcher gains on a place by training on a reconstruction of it, on views that neither has seen.

usage: scripts/bench own_place [--photographs FOLDER] [--views N] [--step DEGREES] [--steps N] [--save NAME]

A camera goes around a generated scene. Every third of its images is held out. `cyano reconstruct` makes a model of
the others, and `cyano train matcher --reconstruction` goes on from the default weights. Both weights then match the
held-out views with each other; a match is right if it lies within 3 px of where the rendered depth says.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import measuring
from cyano import Matcher, MatcherOptions
from cyano.checkpoints import load
from cyano.collection import Collection, reconstruct
from cyano.engine import Recipe
from cyano.formats import CameraOptions
from cyano.geometry import Camera
from cyano.geometry.truth import Visibility
from cyano.progress import NOBODY
from cyano.synthesis.scenes import SceneOptions, make_scene, render
from cyano.synthesis.scenes.posed import PosedView, overlap
from cyano.synthesis.scenes.viewpoints import look_at
from cyano.training.data.real_views import RealSources
from cyano.training.run.config import MatcherPhase, TrainingConfig
from cyano.training.run.pipeline import train_matcher
from cyano.training.run.schedule import Schedule
from cyano.training.stages.matcher import PairOptions
from cyano.types import ImageSize

SEED = 0
SIZE = ImageSize(240, 320)  # small, so that the whole is minutes; nothing depends on it
KEYPOINTS = 512
RIGHT_PX = 3.0


def walk(photographs: list[NDArray[np.generic]], count: int, step_deg: float) -> list[PosedView]:
    """Views around solids on a table, a little upwards and nearer or farther from one to the next."""
    rng = np.random.default_rng(SEED)
    scene = make_scene(photographs, rng, SceneOptions(size=SIZE, kinds=("objects",), textures=10))
    camera = Camera.from_field_of_view(60.0, SIZE)
    middle, distance = scene.interests.mean(axis=0), 0.8 * scene.distances[1]
    views = []
    for number in range(count):
        angle = np.radians(step_deg * number)
        offset = np.array([np.cos(angle), np.sin(angle), 0.5 + 0.3 * np.sin(2.5 * angle)])
        pose = look_at(middle + distance * (1 + 0.2 * np.sin(3 * angle)) * offset, middle, 0.0)
        views.append(PosedView(*render(scene, camera, pose), camera, pose))
    return views


def write(folder: Path, views: list[PosedView], numbers: list[int]) -> None:
    """Images as files."""
    folder.mkdir()
    for number in numbers:
        cv2.imwrite(str(folder / f"view{number:03d}.png"), np.rint(views[number].image * 255).astype(np.uint8))


def fine_tuned(photographs: Path, model: Path, run: Path, steps: int) -> Path:
    """The default weights after training on the place; photographs are a fifth of the pairs, the place the others."""
    networks = load()
    assert networks.superglue is not None  # noqa: S101 - the default weights have a matcher
    options = PairOptions(
        height=SIZE.height,
        width=SIZE.width,
        keypoints=KEYPOINTS // 2,
        scenes=0.0,
        reconstructed=0.8,
        positive_px=1.5,
        negative_px=3.0,
        photometric=0.5,
        unrelated=0.06,
        balanced=False,
        stored=0,
    )
    schedule = Schedule(steps=steps, batch_size=4, learning_rate=3e-4, warmup_steps=5, constant=0.3, workers=1)
    phases = (MatcherPhase(options, schedule),)
    config = TrainingConfig(SEED, networks.superglue.config, phases, superpoint=networks.superpoint.config)
    real = RealSources(reconstructions=[model])
    return train_matcher(config, photographs, "cyano-small", run, torch.device("cpu"), NOBODY, real)


def judged(weights: Path | None, views: list[PosedView], pairs: list[tuple[int, int]]) -> dict[str, float]:
    """Matches and right ones a pair, and precision, of matches of which the depth tells."""
    matcher = Matcher.from_pretrained(weights, options=MatcherOptions(max_keypoints=KEYPOINTS), device="cpu")
    told, right = 0, 0
    for first, second in pairs:
        result = matcher.match(views[first].image, views[second].image)
        truth = views[first].truth_with(views[second]).to_image1(result.keypoints0)
        visible = truth.visibility == Visibility.VISIBLE
        near = np.linalg.norm(np.where(visible[:, None], truth.points, np.inf) - result.keypoints1, axis=1) < RIGHT_PX
        told += int((truth.visibility != Visibility.UNKNOWN).sum())
        right += int(near.sum())
    return {
        "matches": round(told / len(pairs), 1),
        "right": round(right / len(pairs), 1),
        "precision %": round(100 * right / max(told, 1), 1),
    }


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, required=True, metavar="FOLDER", help="textures, and to train on")
    parser.add_argument("--views", type=int, default=24)
    parser.add_argument("--step", type=float, default=7.0, metavar="DEGREES")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    paths = sorted(arguments.photographs.glob("*.jpg"))[:: max(1, len(list(arguments.photographs.glob("*.jpg"))) // 40)]
    views = walk([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths], arguments.views, arguments.step)
    held = list(range(1, len(views), 3))
    shares = {pair: min(overlap(views[pair[0]].truth_with(views[pair[1]]))) for pair in combinations(held, 2)}
    bins = {"0.05-0.25": (0.05, 0.25), "0.25-0.5": (0.25, 0.5), "above 0.5": (0.5, 1.0)}
    groups = {name: [pair for pair in shares if low <= shares[pair] < high] for name, (low, high) in bins.items()}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write(root / "images", views, [number for number in range(len(views)) if number not in held])
        recipe = Recipe(load(), MatcherOptions(max_keypoints=KEYPOINTS))
        made = reconstruct(Collection(root / "images", root / "model", recipe), cameras=CameraOptions(sharing="all"))
        weights = fine_tuned(arguments.photographs, root / "model", root / "run", arguments.steps)
        rows: dict[str, Any] = {"registered": made.model.registered, "steps": arguments.steps}
        for name, pairs in groups.items():
            if pairs:
                before, after = judged(None, views, pairs), judged(weights, views, pairs)
                rows[f"overlap {name}"] = {"pairs": len(pairs), "before": before, "after": after}
                print(name, rows[f"overlap {name}"], flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, rows))


if __name__ == "__main__":
    main()
