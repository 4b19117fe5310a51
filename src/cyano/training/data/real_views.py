"""Pictures that were really taken, with what is known of where their points lie in each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cyano.errors import InputError
from cyano.synthesis.scenes.posed_folders import read_folder, read_megadepth, read_scannet
from cyano.synthesis.scenes.posed_frames import FramePair
from cyano.training.data.places import Place, read_places

__all__ = ["NOTHING_REAL", "NO_SOURCES", "RealSources", "RealViews", "read_posed"]


@dataclass(frozen=True, eq=False)
class RealViews:
    """What is given beside photographs.

    Attributes:
        posed: pairs of posed images with depth.
        places: reconstructed places.
    """

    posed: Sequence[FramePair] = ()
    places: Sequence[Place] = ()

    def record(self) -> dict[str, int]:
        """How much there is."""
        return {"posed": len(self.posed), "places": len(self.places)}

    @cached_property
    def shown(self) -> dict[Path, int]:
        """What each image shows, by its resolved path.

        The same number for all images of a place, for posed images of one folder, and for what has images in common.
        """
        folders: dict[Path, dict[Path, None]] = {}
        for pair in self.posed:
            images = dict.fromkeys((pair.frame0.image, pair.frame1.image))
            folders.setdefault(pair.frame0.image.parent, {}).update(images)
        numbers: dict[Path, int] = {}
        for number, group in enumerate([*(place.paths for place in self.places), *folders.values()]):
            paths = [image.resolve() for image in group]
            met = {numbers[path] for path in paths if path in numbers}
            if met:
                numbers = {path: number if each in met else each for path, each in numbers.items()}
            numbers.update(dict.fromkeys(paths, number))
        return numbers


@dataclass(frozen=True)
class RealSources:
    """Where it is.

    Attributes:
        posed: scenes, see `read_posed`.
        reconstructions: models, see `read_places`.
        allow_pickle: see `read_posed`.
    """

    posed: Sequence[Path] = ()
    reconstructions: Sequence[Path] = ()
    allow_pickle: bool = False

    def read(self, images: Path, aside: Collection[Path]) -> RealViews:
        """All of it.

        Args:
            images: the folder of photographs, where those of the models may be.
            aside: photographs that are kept aside.

        Raises:
            InputError: something is missing or malformed.
            MissingExtraError: pycolmap is not installed, which models need.
        """
        posed = read_posed(self.posed, allow_pickle=self.allow_pickle)
        return RealViews(posed, read_places(self.reconstructions, images, aside))


NOTHING_REAL = RealViews()
NO_SOURCES = RealSources()


def read_posed(paths: Sequence[Path], *, allow_pickle: bool = False) -> list[FramePair]:
    """The pairs of some scenes, each in the layout that it is found to have.

    Args:
        paths: folders of ScanNet's exporter (with a folder `intrinsic`), folders with K.txt and poses.txt, or .npz
            files of MegaDepth's scene_info that lie in the folder which their paths start from.
        allow_pickle: see `read_megadepth`.

    Raises:
        InputError: a path is none of these, or a file in it is missing or malformed.
    """
    pairs: list[FramePair] = []
    for path in paths:
        if path.suffix == ".npz":
            pairs += read_megadepth(path, path.parent, allow_pickle=allow_pickle)
        elif (path / "intrinsic").is_dir():
            pairs += read_scannet(path)
        elif (path / "poses.txt").is_file():
            pairs += read_folder(path)
        else:
            raise InputError(
                f"{path} is no posed scene: give a folder with poses.txt and K.txt, one of ScanNet's exporter, or a "
                "scene_info .npz of MegaDepth"
            )
    return pairs
