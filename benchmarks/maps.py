"""Maps of SIFT's models, and maps that grow, on sets with known poses.

usage: scripts/bench maps SET [SET ...] [--folds N] [--tried N] [--only foreign|add] [--save NAME]

A SET is a folder with images and frames.txt: `name K(9) T_world_to_camera(16)`, pixel centres at whole numbers.

foreign: every N-th image is a query, N times, so that each is one once. The others become a SIFT model with the set's
poses (pycolmap's features, matches and triangulation), and `cyano map` a map of that; map A is made of the poses alone,
with all pairs. Errors of the queries, intrinsics given, are degrees, and centres in percent of the median distance
between cameras; recall at (0.1 degrees, 0.5 %), (0.5, 2), (2, 5).

add: a reconstruction without four images, which are added then, against a reconstruction of all; intrinsics known, and
one unknown camera.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pycolmap
from numpy.typing import NDArray

import measuring
from cyano.checkpoints import load
from cyano.collection import Collection, extract_images, match_pairs, reconstruct, select_pairs
from cyano.engine import Recipe
from cyano.formats import CameraOptions, MappingOptions
from cyano.formats.colmap.pixels import colmap_params, lens_to_colmap
from cyano.geometry import LensCamera, invert_rigid, rotation_angle_between
from cyano.localisation import Localiser, Map, add_images, make_map
from cyano.localisation.queries import Query
from cyano.pairs import PairOptions
from cyano.types import ImageSize

SEED = 0
ADDED = 4
THRESHOLDS = ((0.1, 0.5), (0.5, 2.0), (2.0, 5.0))


class Posed(NamedTuple):
    """A set: its images, and the camera and the pose of each by name."""

    images: Path
    cameras: Mapping[str, LensCamera]
    poses: Mapping[str, NDArray[np.float64]]


def read_set(folder: Path) -> Posed:
    """A set; names are relative to its folder of images."""
    cameras, poses = {}, {}
    for line in (folder / "frames.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, *numbers = line.split()
        name = name.removeprefix("images/")
        K, T = (np.array(each, np.float64) for each in (numbers[:9], numbers[9:25]))
        picture = pycolmap.Bitmap.read(str(folder / "images" / name), True)
        size = ImageSize(picture.height, picture.width)
        cameras[name] = LensCamera("PINHOLE", size, (K[0], K[4], K[2], K[5]))
        poses[name] = T.reshape(4, 4)
    return Posed(folder / "images", cameras, poses)


def posed_model(posed: Posed, names: list[str], folder: Path, database: Path | None = None) -> None:
    """A model of poses alone; with the numbers of a database if that is given."""
    model = pycolmap.Reconstruction()
    numbers = {name: (place, place) for place, name in enumerate(names, start=1)}
    if database is not None:
        with pycolmap.Database.open(str(database)) as opened:
            numbers = {image.name: (image.image_id, image.camera_id) for image in opened.read_all_images()}
    for name in names:
        known, (number, camera_number) = posed.cameras[name], numbers[name]
        camera = lens_to_colmap(pycolmap, known)
        camera.camera_id = camera_number
        model.add_camera_with_trivial_rig(camera)
        image = pycolmap.Image(name=name, camera_id=camera_number, image_id=number)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(posed.poses[name][:3]))
    folder.mkdir(parents=True)
    model.write(str(folder))


def sift_model(posed: Posed, names: list[str], folder: Path) -> Path:
    """What COLMAP makes of SIFT with known poses."""
    database, source, out = folder / "sift.db", folder / "posed", folder / "sift"
    reader = pycolmap.ImageReaderOptions(camera_model="PINHOLE")
    each = pycolmap.CameraMode.PER_IMAGE
    pycolmap.extract_features(str(database), str(posed.images), names, each, reader)
    pycolmap.match_exhaustive(str(database))
    posed_model(posed, names, source, database)
    out.mkdir()
    model = pycolmap.Reconstruction(str(source))
    pycolmap.triangulate_points(model, str(database), str(posed.images), str(out))
    return out


def errors_in(place: Map, posed: Posed, queries: list[str], unit: float) -> dict[str, list[float] | None]:
    """Degrees, and percent of the unit, of each query; None where it has no certain pose."""
    localiser, errors = Localiser(place), {}
    for name in queries:
        found = localiser.localise(posed.images / name, posed.cameras[name])
        true = posed.poses[name]
        turn = np.degrees(rotation_angle_between(found.T_world_to_camera[:3, :3], true[:3, :3])) if found.ok else 0.0
        moved = np.linalg.norm(found.centre - invert_rigid(true)[:3, 3]) / unit * 100
        errors[name] = [float(turn), float(moved)] if found.ok else None
    return errors


def foreign(posed: Posed, folds: int, tried: int, stored: Path, scratch: Path) -> dict[str, Any]:
    """Maps of SIFT's models beside maps of the poses alone."""
    names = sorted(posed.poses)
    centres = np.array([invert_rigid(posed.poses[name])[:3, 3] for name in names])
    apart = np.linalg.norm(centres[:, None] - centres, axis=2)
    unit = float(np.median(apart[np.triu_indices(len(names), 1)]))
    recipe = Recipe(load())
    errors: dict[str, dict[str, list[float] | None]] = {"of SIFT's model": {}, "map A": {}}
    points: dict[str, list[int]] = {"of SIFT's model": [], "map A": []}
    for fold in range(tried):
        queries, kept = names[fold::folds], [name for place, name in enumerate(names) if place % folds != fold]
        here = scratch / str(fold)
        here.mkdir()
        posed_model(posed, kept, here / "poses")
        sources = {"of SIFT's model": (sift_model(posed, kept, here), None),
                   "map A": (here / "poses", PairOptions("exhaustive"))}  # fmt: skip
        for kind, (source, pairs) in sources.items():
            out = here / f"map {kind}"
            shutil.copytree(stored, out / "store")
            points[kind].append(make_map(source, posed.images, out, recipe, pairs=pairs).model.points)
            errors[kind] |= errors_in(Map.open(out, recipe, posed.images), posed, queries, unit)
    return {kind: _row(errors[kind], points[kind]) for kind in errors}


def _row(errors: Mapping[str, list[float] | None], points: list[int]) -> dict[str, Any]:
    found = np.array([each if each is not None else [np.inf, np.inf] for each in errors.values()])
    return {
        "queries": len(found),
        "points of a map": round(float(np.mean(points))),
        "median degrees": round(float(np.median(found[:, 0])), 4),
        "median % of distance": round(float(np.median(found[:, 1])), 3),
        "recall %": {f"{degrees} deg, {percent} %": round(100 * float((found <= (degrees, percent)).all(1).mean()), 1)
                     for degrees, percent in THRESHOLDS},
    }  # fmt: skip


def matched(posed: Posed, out: Path) -> Path:
    """The store of a set's features and of the matches of all pairs, which are the same wherever they are made."""
    collection = Collection(posed.images, out, Recipe(load()), listed=tuple(sorted(posed.poses)))
    extract_images(collection)
    match_pairs(collection, select_pairs(collection, PairOptions("exhaustive")).pairs)
    return collection.store


def add(posed: Posed, stored: Path, scratch: Path, *, known: bool) -> dict[str, Any]:
    """A model without four images that are added, beside one of all."""
    names, recipe = sorted(posed.poses), Recipe(load())
    added = names[1 :: len(names) // ADDED][:ADDED]
    old, new = scratch / "old images", scratch / "new images"
    for name in names:
        folder = new if name in added else old
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(posed.images.resolve() / name)
    for name in ("whole", "part", "grown", "refined"):
        shutil.copytree(stored, scratch / name / "store")
    camera = next(iter(posed.cameras.values()))
    cameras = CameraOptions(camera.model, "all", colmap_params(camera)) if known else CameraOptions(sharing="all")
    mapping = MappingOptions(keep_cameras=known)
    whole = Collection(posed.images, scratch / "whole", recipe)
    reconstruct(whole, cameras=cameras, mapping=mapping)
    part = Collection(old, scratch / "part", recipe)
    reconstruct(part, cameras=cameras, mapping=mapping)
    place = Map.open(part.out, recipe, old)
    before = {path: path.read_bytes() for path in (part.sparse / "0").glob("*.bin")}
    queries = [Query(name, new / name) for name in added]
    done = add_images(place, queries, scratch / "grown")
    models = {
        name: pycolmap.Reconstruction(str(scratch / name / "sparse" / "0")) for name in ("whole", "part", "grown")
    }
    refined = add_images(place, queries, scratch / "refined", fix_old=False).model
    error = {name: _error(model) for name, model in models.items()}
    return {
        "images": len(models["grown"].reg_image_ids()),
        "added": len(done.model.added),
        "failed": done.model.failed,
        "map unchanged": before == {path: path.read_bytes() for path in before},
        "old poses, cameras and points stay": _stays(models["part"], models["grown"]),
        "points": {name: model.num_points3D() for name, model in models.items()},
        "reprojection error px": {name: round(each, 4) for name, each in error.items()},
        "reprojection error of all refined px": round(refined.mean_reprojection_error, 4),
        "of the whole's": round(error["grown"] / error["whole"], 3),
        "median relative pose error degrees": {name: _pose_error(model, posed, added) for name, model in models.items()
                                               if name != "part"},
    }  # fmt: skip


def _error(model: Any) -> float:
    """Mean over all observations of how far they are from their projections, in pixels."""
    misses = []
    for number in model.reg_image_ids():
        image = model.image(number)
        for point in image.get_observation_points2D():
            misses.append(np.linalg.norm(image.project_point(model.points3D[point.point3D_id].xyz) - point.xy))
    return float(np.mean(misses))


def _stays(part: Any, grown: Any) -> bool:
    """Whether numbers, names, poses, cameras and places of points are the same to the last bit."""
    images = all(
        grown.images[number].name == image.name
        and grown.images[number].camera_id == image.camera_id
        and (grown.images[number].cam_from_world().matrix() == image.cam_from_world().matrix()).all()
        for number, image in part.images.items()
    )
    cameras = all((grown.cameras[number].params == camera.params).all() for number, camera in part.cameras.items())
    points = all((grown.points3D[number].xyz == point.xyz).all() for number, point in part.points3D.items())
    return images and cameras and points


def _pose_error(model: Any, posed: Posed, added: list[str]) -> float:
    """Of rotations between the added images and all others, against the set's."""
    poses = {image.name: image.cam_from_world().matrix()[:, :3] for image in model.images.values() if image.has_pose}
    errors = [
        rotation_angle_between(poses[one] @ poses[other].T, posed.poses[one][:3, :3] @ posed.poses[other][:3, :3].T)
        for one in added
        for other in poses
        if one in poses and other != one
    ]
    return round(float(np.degrees(np.median(errors))), 4)


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--tried", type=int, help="folds that are measured; all unless given")
    parser.add_argument("--only", choices=("foreign", "add"))
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    pycolmap.logging.minloglevel = int(pycolmap.logging.ERROR)
    results: dict[str, Any] = {"weights": "cyano-small", "sets": {}}
    for folder in arguments.sets:
        posed, found = read_set(folder), {}
        with tempfile.TemporaryDirectory() as scratch:
            stored = matched(posed, Path(scratch) / "matched")
            if arguments.only != "foreign":
                for kind, known in (("known", True), ("unknown", False)):
                    key = f"add, camera {kind}"
                    found[key] = add(posed, stored, Path(scratch) / kind, known=known)
                    print(folder.name, key, json.dumps(found[key]), flush=True)
            if arguments.only != "add":
                (Path(scratch) / "foreign").mkdir()
                tried = arguments.tried or arguments.folds
                found["foreign"] = foreign(posed, arguments.folds, tried, stored, Path(scratch) / "foreign")
                print(folder.name, json.dumps(found["foreign"]), flush=True)
        results["sets"][folder.name] = found
    if arguments.save:
        path = measuring.RESULTS / f"{arguments.save}.json"  # what was measured before, of others, stays
        before = json.loads(path.read_text())["results"]["sets"] if path.exists() else {}
        sets = before.keys() | results["sets"].keys()
        results["sets"] = {name: before.get(name, {}) | results["sets"].get(name, {}) for name in sorted(sets)}
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
