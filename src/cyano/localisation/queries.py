"""Which photographs are to be localised: one, those of a folder, or those of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cyano.engine import find_images, readable_suffixes
from cyano.errors import InputError
from cyano.formats.hloc.query_lists import parse_query_list, read_query_list
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.formats.priors import PositionPrior
from cyano.geometry import LensCamera
from cyano.pairs.entries import which
from cyano.processing.masks import find_mask

__all__ = ["Query", "find_queries", "listed_queries", "with_cameras", "with_masks"]


@dataclass(frozen=True)
class Query:
    """A photograph to localise.

    Attributes:
        name: by which results call it.
        path: its file.
        camera: if it is known; see `Localiser.localise`.
        mask: if it has one.
        prior: where it was taken, if something is known of that.
    """

    name: str
    path: Path
    camera: LensCamera | CameraEntry | None = None
    mask: Path | None = None
    prior: PositionPrior | None = None


def find_queries(source: Path, folder: Path | None = None) -> list[Query]:
    """The photographs that a path stands for.

    Args:
        source: a photograph, a folder (searched as those of collections are), or a list; see `parse_query_list`.
        folder: that names of a list are relative to; None for that of the list.

    Raises:
        InputError: there is no such file, no photograph in it, or it is not understood.
    """
    if source.is_dir():
        return [Query(name, source / name) for name in find_images(source, readable_suffixes())]
    if not source.exists():
        raise InputError(f"{source}: there is no such file or folder; give an image, a folder or a list")
    if source.suffix.lower() in readable_suffixes():
        return [Query(source.name, source)]
    return _in_folder(read_query_list(source), source.parent if folder is None else folder, str(source))


def listed_queries(lines: Iterable[str], folder: Path) -> list[Query]:
    """The photographs of a list that is read from elsewhere.

    Args:
        lines: of the list; see `parse_query_list`.
        folder: that its names are relative to.

    Raises:
        InputError: it is empty or not understood.
    """
    return _in_folder(parse_query_list(lines, "the list"), folder, "the list")


def with_cameras(
    queries: Iterable[Query],
    listed: Mapping[str, LensCamera | CameraEntry],
    default: LensCamera | CameraEntry | None = None,
) -> list[Query]:
    """The photographs with what else is known of their cameras; what they have already stays.

    Args:
        queries: the photographs.
        listed: cameras by name, or of folders by name with a slash at the end; "" is that of all.
        default: of those that are not listed.
    """
    found = []
    for query in queries:
        entry = which(listed, query.name)
        camera = default if entry is None else listed[entry]
        found.append(query if query.camera is not None else replace(query, camera=camera))
    return found


def with_masks(queries: Iterable[Query], masks: Path) -> list[Query]:
    """The photographs with their masks, which lie as those of collections do; see `find_mask`.

    Raises:
        InputError: there are no masks, a name points out of its folder, or the list of masks is none.
    """
    if not masks.exists():
        raise InputError(f"{masks}: there is no such folder or file; masks are a folder, a list or one image")
    return [replace(query, mask=find_mask(query.name, masks)) for query in queries]


def _in_folder(listed: Mapping[str, CameraEntry | None], folder: Path, where: str) -> list[Query]:
    if not listed:
        raise InputError(f"there is no image in {where}; give a name on each line")
    return [Query(name, folder / name, camera) for name, camera in listed.items()]
