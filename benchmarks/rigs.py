"""Do the cameras of a rig help each other? Two neighbouring frames with their known relative pose, in exact maps.

usage: scripts/bench rigs SETS... [--images N] [--save NAME]

Of each set of posed photographs (a folder with frames.txt), frames 1 and 2 of every four are left out of a map, whose
points are triangulated with the set's own poses, and localised: each by itself, and both as a rig. A second map is made
without frames 3 and 0. A rig helps if the larger error of its two poses is at most the smaller one of the two poses by
themselves, in degrees and in percent of the median distance between the map's cameras.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

import measuring
from cyano.checkpoints import load
from cyano.collection import Collection, align_images, extract_images, match_pairs, select_pairs, write_database
from cyano.engine import Recipe
from cyano.formats import CameraOptions
from cyano.geometry import Camera, LensCamera, invert_rigid, rotation_angle_between
from cyano.localisation import LocaliseOptions, Localiser, Map, RigCamera
from cyano.localisation.photograph.search import Found
from cyano.localisation.rigs import RigSearch
from cyano.pairs import PairOptions
from cyano.processing.images import read

SEED = 0
Frames = dict[str, tuple[LensCamera, NDArray[np.float64]]]


def frames_of(folder: Path, count: int) -> Frames:
    """Cameras and poses (T_world_to_camera) of the first so many photographs of a set by name."""
    found: Frames = {}
    for line in (folder / "frames.txt").read_text().splitlines():
        name, *numbers = line.split()
        if not name.startswith("#") and len(found) < count:
            K, T = np.array(numbers[:9], float).reshape(3, 3), np.array(numbers[9:], float).reshape(4, 4)
            size = read(folder / name).size
            found[Path(name).name] = LensCamera.from_pinhole(Camera.from_matrix(K, size)), T
    return found


def triangulated(folder: Path, out: Path, frames: Frames, kept: list[str]) -> Localiser:
    """A map of some of the photographs with their own poses."""
    images = out / "images"
    images.mkdir(parents=True)
    for name in kept:
        (images / name).symlink_to((folder / "images" / name).resolve())
    collection = Collection(images, out / "map", Recipe(load()))
    extract_images(collection)
    match_pairs(collection, select_pairs(collection, PairOptions(method="sequential", window=6)).pairs)
    align_images(collection)
    write_database(collection, CameraOptions(listed={name: frames[name][0] for name in kept}))
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(collection.database) as database:
        for camera in database.read_all_cameras():
            model.add_camera_with_trivial_rig(camera)
        for image in database.read_all_images():
            posed = pycolmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id)
            model.add_image_with_trivial_frame(posed, pycolmap.Rigid3d(frames[image.name][1][:3]))
    target = collection.sparse / "0"
    target.mkdir(parents=True)
    pycolmap.triangulate_points(model, collection.database, images, target)
    return Localiser(Map.open(collection.out, collection.recipe, images), LocaliseOptions(seed=SEED))


def errors(T: NDArray[np.float64], true: NDArray[np.float64], unit: float) -> tuple[float, float]:
    """Degrees, and percent of the unit."""
    centre = np.linalg.norm(invert_rigid(T)[:3, 3] - invert_rigid(true)[:3, 3])
    return float(np.degrees(rotation_angle_between(T[:3, :3], true[:3, :3]))), float(100 * centre / unit)


def rows_of(folder: Path, localiser: Localiser, frames: Frames, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Errors of both photographs of each rig, alone and together; None where one alone has no pose."""
    centres = np.array([invert_rigid(image.T_world_to_camera)[:3, 3] for image in localiser.map.model.images.values()])
    between = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    unit = float(np.median(between[np.triu_indices(len(centres), 1)]))
    rows = []
    for pair in pairs:
        cameras, poses = zip(*(frames[name] for name in pair), strict=True)
        placed = [
            RigCamera(pose @ np.linalg.inv(poses[0]), camera) for pose, camera in zip(poses, cameras, strict=True)
        ]
        members, alone = [], []
        for name, camera in zip(pair, placed, strict=True):
            member = localiser.member(folder / "images" / name, camera, None, None)
            known = member.sources
            found = member.search.explored(localiser.map.names, known)
            alone.append(found.pose.T_world_to_camera if isinstance(found, Found) else None)
            members.append(member)
        together = RigSearch(members, localiser.options).run()
        rows.append(
            {
                "frames": list(pair),
                "alone": [None if T is None else errors(T, true, unit) for T, true in zip(alone, poses, strict=True)],
                "rig": [errors(each.T_world_to_camera, true, unit) for each, true in zip(together, poses, strict=True)],
                "status": together[0].status,
            }
        )
        print(folder.name, rows[-1], flush=True)
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of rigs that help, and medians."""
    told: dict[str, Any] = {"rigs": len(rows), "ok": sum(row["status"] == "ok" for row in rows)}
    for part, unit in enumerate(("degrees", "percent")):
        rig = np.array([max(each[part] for each in row["rig"]) for row in rows])
        single = [[each[part] for each in row["alone"] if each is not None] for row in rows]
        better = np.array([min(each, default=np.inf) for each in single])
        worse = np.array([max(each) if len(each) == 2 else np.inf for each in single])
        told[unit] = {
            "median of the rig's larger error": round(float(np.median(rig)), 4),
            "median of the smaller one alone": round(float(np.median(better)), 4),
            "median of the larger one alone": round(float(np.median(worse)), 4),
            "at most the smaller one alone": round(float((rig <= better).mean()), 3),
            "at most the larger one alone": round(float((rig <= worse).mean()), 3),
        }
    return told


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    for folder in arguments.sets:
        frames = frames_of(folder, arguments.images)
        names, rows = sorted(frames), []
        for first in (1, 3):
            pairs = [(names[k], names[k + 1]) for k in range(first, len(names) - 1, 4)]
            kept = [name for name in names if name not in {each for pair in pairs for each in pair}]
            with tempfile.TemporaryDirectory() as out:
                localiser = triangulated(folder, Path(out), frames, kept)
                rows += rows_of(folder, localiser, frames, pairs)
        results[folder.name] = {**summary(rows), "each": rows}
        print(folder.name, summary(rows), flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
