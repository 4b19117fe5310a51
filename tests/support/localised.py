"""A rendered scene as a map, photographs of it from elsewhere, and where they were taken in the map's frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cyano.formats.colmap.map_model import read_map_model
from cyano.geometry import invert_rigid, rotation_angle_between
from support.commands import output, run
from support.walk import render_walk, write_view, write_walk

__all__ = ["CAMERA", "FEW", "Scene", "make_scene"]

FEW = ("--max-keypoints", "400")
"""Options of the map, which whatever localises in it has to repeat."""

CAMERA = "PINHOLE:400,400,240,180"
"""The camera that the scene is rendered with: 30 mm on film are 400 of 480 pixels."""

QUERIES = {"q_1.png": 1.5, "q_2.png": 2.4, "q_3.png": 3.3}
"""After how many steps of the walk each is taken."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A map and photographs to localise in it.

    Attributes:
        images: folder of the map's images.
        model: folder of the map.
        queries: folder of the photographs.
        poses: T_world_to_camera of the photographs by name, in the renderer's frame.
        scale: of the map's unit in units of the renderer.
        R: (3, 3) from the map's frame to the renderer's.
        t: (3,) likewise.
        step: median distance of neighbours among the map's cameras, in units of the renderer.
    """

    images: Path
    model: Path
    queries: Path
    poses: Mapping[str, NDArray[np.float64]]
    scale: float
    R: NDArray[np.float64]
    t: NDArray[np.float64]
    step: float

    def without_images(self, folder: Path) -> Path:
        """The map in another folder, from which nothing leads to its images."""
        for part in ("store", "sparse"):
            (folder / part).symlink_to(self.model / part)
        return folder

    def errors(self, name: str, T_world_to_camera: NDArray[np.float64]) -> tuple[float, float]:
        """Degrees of the rotation, and distance of the centres in shares of a step."""
        true = self.poses[name]
        turn = rotation_angle_between(T_world_to_camera[:3, :3] @ self.R.T, true[:3, :3])
        centre = self.scale * self.R @ invert_rigid(T_world_to_camera)[:3, 3] + self.t
        return float(np.degrees(turn)), float(np.linalg.norm(centre - invert_rigid(true)[:3, 3])) / self.step


def make_scene(folder: Path) -> Scene:
    """Reconstruct a walk, with its camera known, and write the photographs."""
    poses = write_walk(folder / "images")
    model, params = CAMERA.split(":")
    known = ("--camera-model", model, "--camera-params", params, "--keep-cameras", "--cameras", "all")
    output(run("reconstruct", folder / "images", "--out", folder / "map", *known, *FEW, "--json"))
    (folder / "queries").mkdir()
    taken = {}
    for name, at in QUERIES.items():
        (view,) = render_walk(at=[at])
        write_view(view, folder / "queries" / name)
        taken[name] = view.T_world_to_camera
    found = read_map_model(folder / "map" / "sparse" / "0").images
    names = sorted(found)
    mine = np.array([invert_rigid(found[name].T_world_to_camera)[:3, 3] for name in names])
    true = np.array([invert_rigid(poses[name])[:3, 3] for name in names])
    scale, R, t = _similarity(mine, true, [found[name].T_world_to_camera for name in names], [poses[n] for n in names])
    step = float(np.median(np.linalg.norm(np.diff(true, axis=0), axis=1)))
    return Scene(folder / "images", folder / "map", folder / "queries", taken, scale, R, t, step)


def _similarity(
    mine: NDArray[np.float64],
    true: NDArray[np.float64],
    poses: list[NDArray[np.float64]],
    truths: list[NDArray[np.float64]],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Scale, rotation and translation between two frames: the rotation from the cameras' rotations, all at once.

    Centres alone, which lie on an arc, would tell the turn about it less exactly than the cameras do.
    """
    total = sum(there[:3, :3].T @ here[:3, :3] for here, there in zip(poses, truths, strict=True))
    U, _, Vt = np.linalg.svd(total)
    R = U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt
    turned, wanted = (mine - mine.mean(0)) @ R.T, true - true.mean(0)
    scale = float((turned * wanted).sum() / (turned**2).sum())
    return scale, R, true.mean(0) - scale * R @ mine.mean(0)
