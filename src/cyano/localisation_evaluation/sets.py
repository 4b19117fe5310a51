"""Photographs whose poses are known: what localisation is evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyano.engine import find_images
from cyano.errors import InputError
from cyano.geometry import LensCamera, invert_rigid
from cyano.reading import read_text
from cyano.types import ImageSize

__all__ = ["FEWEST", "FRAMES_FILE", "PosedPhotograph", "PosedSet", "find_posed_sets"]

FRAMES_FILE = "frames.txt"
"""Lines of `name K(9) T_world_to_camera(16)`, row by row, with the centre of the first pixel at (0, 0)."""

FEWEST = 8
"""Photographs that a set takes: fewer leave no map of several views."""

_FIELDS = 1 + 9 + 16


@dataclass(frozen=True, eq=False)
class PosedPhotograph:
    """A photograph with its true camera.

    Attributes:
        name: relative to the folder of its set.
        camera: in Cyano's pixels.
        T_world_to_camera: (4, 4) float64.

    Example:
        >>> from cyano.geometry import Camera, LensCamera
        >>> camera = LensCamera.from_pinhole(Camera(400, 400, 239.5, 179.5, ImageSize(360, 480)))
        >>> pose = np.eye(4)
        >>> pose[:3, 3] = 0.0, 0.0, 2.0
        >>> (0.0 - PosedPhotograph("new.png", camera, pose).centre).tolist()
        [0.0, 0.0, 2.0]
    """

    name: str
    camera: LensCamera
    T_world_to_camera: NDArray[np.float64]

    @property
    def centre(self) -> NDArray[np.float64]:
        """(3,) where the camera stood."""
        return np.asarray(invert_rigid(self.T_world_to_camera)[:3, 3])


@dataclass(frozen=True, eq=False)
class PosedSet:
    """Photographs of one place.

    Attributes:
        name: of the set.
        folder: that the names are relative to.
        photographs: in the order in which they were taken.
        elsewhere: photographs of other places, none of which may be localised here.

    Example:
        >>> from cyano.geometry import Camera, LensCamera
        >>> camera = LensCamera.from_pinhole(Camera.from_focal_35mm(28.0, ImageSize(360, 480)))
        >>> poses = np.tile(np.eye(4), (2, 1, 1))
        >>> poses[1, 0, 3] = 2.0
        >>> photographs = tuple(PosedPhotograph(f"{number}.png", camera, pose) for number, pose in enumerate(poses))
        >>> PosedSet("street", Path("street"), photographs).distance
        2.0
    """

    name: str
    folder: Path
    photographs: tuple[PosedPhotograph, ...]
    elsewhere: tuple[Path, ...] = ()

    @property
    def distance(self) -> float:
        """The median distance between two of its cameras."""
        centres = np.array([photograph.centre for photograph in self.photographs])
        first, second = np.triu_indices(len(centres), 1)
        return float(np.median(np.linalg.norm(centres[first] - centres[second], axis=1)))


def find_posed_sets(root: Path, wrong: int = 100, seed: int = 0) -> tuple[list[PosedSet], dict[str, str]]:
    """The sets in a folder and in the folders directly in it, those with a `frames.txt`.

    Args:
        root: the folder.
        wrong: photographs of other places for all sets together: drawn from the other folders, each once.
        seed: of the drawing.

    Returns:
        The sets by name, and why others are left out.

    Raises:
        InputError: there is none, or a file is not understood.

    Example:
        >>> from PIL import Image
        >>> Path("sets/street").mkdir(parents=True)
        >>> lines = []
        >>> for number in range(8):
        ...     Image.new("L", (64, 48)).save(f"sets/street/{number}.png")
        ...     lines.append([f"{number}.png", *np.diag([50.0, 50.0, 1.0]).ravel(), *np.eye(4).ravel()])
        >>> np.savetxt("sets/street/frames.txt", lines, fmt="%s")
        >>> sets, left_out = find_posed_sets(Path("sets"))
        >>> sets[0].name, len(sets[0].photographs), left_out
        ('street', 8, {})
    """
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))]
    posed = [folder for folder in folders if (folder / FRAMES_FILE).is_file()]
    read = {folder: _photographs(folder) for folder in posed}
    short = {each.name: f"{len(read[each])} images with poses; localisation needs {FEWEST}" for each in posed
             if len(read[each]) < FEWEST}  # fmt: skip
    chosen = [folder for folder in posed if folder.name not in short]
    if not chosen:
        raise InputError(
            f"{root} and the folders in it hold no {FRAMES_FILE} (name K(9) T_world_to_camera(16)) of {FEWEST} "
            "images or more, which localisation needs"
        )
    drawn = _elsewhere(chosen, folders[1:], wrong, np.random.default_rng(seed))
    return [PosedSet(each.resolve().name, each, read[each], drawn[each]) for each in chosen], short


def _photographs(folder: Path) -> tuple[PosedPhotograph, ...]:
    path, found = folder / FRAMES_FILE, []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        try:
            numbers = np.array([float(field) for field in fields[1:]])
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        if len(fields) != _FIELDS or not np.isfinite(numbers).all():
            raise InputError(f"{path}, line {number}: a line is name K(9) T_world_to_camera(16), {_FIELDS} fields")
        K, pose = numbers[:9].reshape(3, 3), numbers[9:].reshape(4, 4)
        camera = LensCamera("PINHOLE", _size(folder / fields[0]), (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
        found.append(PosedPhotograph(fields[0], camera, pose))
    return tuple(found)


def _size(path: Path) -> ImageSize:
    try:
        with Image.open(path) as image:
            return ImageSize(image.height, image.width)
    except OSError as error:
        raise InputError(f"{path} of {FRAMES_FILE} cannot be read: {error}") from error


def _elsewhere(
    sets: Sequence[Path], folders: Sequence[Path], wrong: int, rng: np.random.Generator
) -> dict[Path, tuple[Path, ...]]:
    """Photographs of other folders for each set, each photograph once."""
    pool = [(folder, path) for folder in folders for path in _images_in(folder)]
    pool = [pool[place] for place in rng.permutation(len(pool))]
    drawn: dict[Path, list[Path]] = {each: [] for each in sets}
    shares = {each: wrong // len(sets) + (place < wrong % len(sets)) for place, each in enumerate(sets)}
    for folder, path in pool:
        needy = [each for each in sets if each != folder and len(drawn[each]) < shares[each]]
        if needy:
            drawn[max(needy, key=lambda each: shares[each] - len(drawn[each]))].append(path)
    return {each: tuple(paths) for each, paths in drawn.items()}


def _images_in(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in find_images(folder)]
    except InputError:
        return []
