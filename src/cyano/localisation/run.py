"""Many photographs, one after the other, into a folder of results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cyano.atomic import write_atomically
from cyano.errors import InputError
from cyano.formats.rigs import Rig
from cyano.localisation.localiser import Localiser
from cyano.localisation.outcome import Localisation
from cyano.localisation.output.pictures import picture_of
from cyano.localisation.output.records import MadeFrom, Record
from cyano.localisation.output.results import Results
from cyano.localisation.photograph.features import orientation_of
from cyano.localisation.queries import Query

__all__ = ["Localised", "localise_frames", "localise_queries"]


class Localised(NamedTuple):
    """A photograph that is done, and whether it was before."""

    record: Record
    reused: bool


def localise_queries(
    localiser: Localiser, queries: Iterable[Query], results: Results | None = None, *, pictures: bool = False
) -> Iterator[Localised]:
    """Localise photographs, each as it is asked for, in their order.

    Args:
        localiser: with the map.
        queries: the photographs.
        results: where they are kept, and taken from if they are there already; None keeps nothing. `Results.finish`
            is left to the caller.
        pictures: also draw those that have no picture there yet.

    Raises:
        OutputError: a result cannot be written.
    """
    for query in queries:
        made_from = MadeFrom("", "", "") if results is None else results.made_from(query)
        kept = None if results is None else results.kept(query, made_from)
        path = results.picture(query.name) if results is not None and pictures else None
        if kept is not None and (path is None or path.exists()):
            yield Localised(kept, True)
            continue
        found = _outcome(localiser, query)
        if results is not None and kept is None:
            results.remove_picture(query.name)
        if path is not None and found.status != "not usable":
            write_atomically(path, picture_of(found, query.path, localiser.map))
        record = kept or Record.of(query.name, found, made_from, orientation_of(query.path))
        if results is not None and kept is None:
            results.add(record)
        yield Localised(record, kept is not None)


def localise_frames(
    localiser: Localiser, queries: Sequence[Query], rig: Rig, results: Results | None = None, *, pictures: bool = False
) -> Iterator[Localised]:
    """Localise photographs of a rig, those of one moment together; as `localise_queries`.

    Args:
        localiser: with the map.
        queries: the photographs; names begin with that of the camera, and what follows says the moment.
        rig: whose cameras took them.
        results: see `localise_queries`.
        pictures: likewise.

    Raises:
        InputError: a photograph is of no camera of the rig or has a known position, or two are of one camera and
            moment.
        OutputError: a result cannot be written.
    """
    for frame in _frames(queries, rig):
        made = {name: _of_frame(results, name, frame, rig) for name in frame}
        kept = {} if results is None else {name: results.kept(query, made[name]) for name, query in frame.items()}
        paths = {name: results.picture(query.name) for name, query in frame.items()} if results and pictures else {}
        if all(kept.get(name) for name in frame) and all(path.exists() for path in paths.values()):
            yield from (Localised(record, True) for record in kept.values() if record is not None)
            continue
        for name, found in _outcomes(localiser, frame, rig).items():
            query = frame[name]
            if results is not None and kept.get(name) is None:
                results.remove_picture(query.name)
            if name in paths and found.status != "not usable":
                write_atomically(paths[name], picture_of(found, query.path, localiser.map))
            record = kept.get(name) or Record.of(query.name, found, made[name], orientation_of(query.path))
            if results is not None and kept.get(name) is None:
                results.add(record)
            yield Localised(record, kept.get(name) is not None)


def _frames(queries: Sequence[Query], rig: Rig) -> list[dict[str, Query]]:
    """The photographs of each moment by camera."""
    moments: dict[str, dict[str, Query]] = {}
    for query in queries:
        if query.prior is not None:
            raise InputError(f"{query.name!r} has a known position, which images of a rig cannot have; leave it out")
        camera, moment = rig.camera_of(query.name)
        other = moments.setdefault(moment, {}).setdefault(camera, query)
        if other is not query:
            raise InputError(f"{query.name!r} and {other.name!r} are from the same camera and moment; rename one")
    return list(moments.values())


def _of_frame(results: Results | None, name: str, frame: dict[str, Query], rig: Rig) -> MadeFrom:
    """What decides the result of a photograph of a rig: all of its moment, and the rig."""
    if results is None:
        return MadeFrom("", "", "")
    placed = {camera: (each.T_rig_to_camera.tolist(), each.camera) for camera, each in rig.cameras.items()}
    return results.made_from(frame[name], [frame[other] for other in frame if other != name], repr(placed))


def _outcomes(localiser: Localiser, frame: dict[str, Query], rig: Rig) -> dict[str, Localisation]:
    """What becomes of the photographs of a moment; those that cannot be used cost themselves only."""
    found: dict[str, Localisation] = {}
    members = {}
    for name, query in frame.items():
        try:
            _check_name(query.name)
            members[name] = localiser.member(query.path, rig.cameras[name], query.camera, query.mask)
        except InputError as error:
            found[name] = Localisation.failed(query.name, "not usable", str(error))
    return found | localiser.localise_members(members)


def _outcome(localiser: Localiser, query: Query) -> Localisation:
    """What becomes of a photograph; one that cannot be used costs itself only."""
    try:
        _check_name(query.name)
        return localiser.localise(query.path, query.camera, query.mask, query.prior)
    except InputError as error:
        return Localisation.failed(query.name, "not usable", str(error))


def _check_name(name: str) -> None:
    """Refuse what the text files of poses cannot hold.

    Raises:
        InputError: the name is of several lines, or no text.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"the name {name!r} is not valid UTF-8, which COLMAP needs; rename the file") from error
    if len(name.splitlines()) != 1 or "\0" in name:
        raise InputError(f"the name {name!r} has a line break; rename the file")
