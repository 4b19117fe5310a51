"""Many photographs, one after the other, into a folder of results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cyano.atomic import write_atomically
from cyano.errors import InputError
from cyano.localisation.localiser import Localiser
from cyano.localisation.outcome import Localisation
from cyano.localisation.photographs import orientation_of
from cyano.localisation.pictures import picture_of
from cyano.localisation.queries import Query
from cyano.localisation.records import MadeFrom, Record
from cyano.localisation.results import Results

__all__ = ["Localised", "localise_queries"]


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
        path = results.picture(query) if results is not None and pictures else None
        if kept is not None and (path is None or path.exists()):
            yield Localised(kept, True)
            continue
        found = _outcome(localiser, query)
        if path is not None and found.status != "not usable":
            write_atomically(path, picture_of(found, query.path, localiser.map))
        record = kept or Record.of(query.name, found, made_from, orientation_of(query.path))
        if results is not None and kept is None:
            results.add(record)
        yield Localised(record, kept is not None)


def _outcome(localiser: Localiser, query: Query) -> Localisation:
    """What becomes of a photograph; one that cannot be used costs itself only."""
    try:
        _check_name(query.name)
        return localiser.localise(query.path, query.camera, query.mask)
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
        raise InputError(f"the name {name!r} is no valid text, which COLMAP needs; rename the file") from error
    if len(name.splitlines()) != 1 or "\0" in name:
        raise InputError(f"the name {name!r} is not of one line; rename the file")
