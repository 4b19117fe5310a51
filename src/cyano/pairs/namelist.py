"""A pair list as the way to select a collection's pairs: it may be long, and made by any program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO

from cyano.errors import InputError
from cyano.pairs.checks import places_of, some
from cyano.pairs.listfile import Pair, parse_fields
from cyano.reading import read_text

__all__ = ["PairList", "read_name_pairs"]


@dataclass(frozen=True, eq=False)
class PairList:
    """The usable pairs of a list, and the numbers of the lines that were left out, counted from 1.

    Attributes:
        pairs: in the order of the list, each once.
        repeated: lines whose pair stands before, in either direction.
        alone: lines that pair an image with itself.
        unknown: (line, name) of lines with an image that the collection does not have.

    Example:
        >>> written = Path("pairs.txt").write_text("a.jpg a.jpg")
        >>> found = read_name_pairs("pairs.txt")
        >>> found.alone, len(found.notes())
        ([1], 1)
    """

    pairs: list[Pair] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    unknown: list[tuple[int, str]] = field(default_factory=list)

    def notes(self) -> list[str]:
        """One sentence for each kind of lines that were left out."""
        unknown = [f"{name} (line {line})" for line, name in self.unknown]
        kinds = (
            (self.repeated, "repeat a pair, in either direction: lines {}"),
            (self.alone, "pair an image with itself: lines {}"),
            (unknown, "name an image that is not there: {}"),
        )
        return [f"left out {len(lines)} lines that {text.format(some(lines))}" for lines, text in kinds if lines]


def read_name_pairs(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> PairList:
    """Read a pair list for a collection; a million lines take some seconds and 0.2 GB.

    Args:
        path: the text file, in UTF-8, with lines as `read_pairs` reads them, usually `name0 name1`.
        names: of the collection's images, each once; None if all names are known.

    Returns:
        The pairs, and which lines were left out and why.

    Raises:
        InputError: a name occurs twice in `names`, the file cannot be read, or a line is not understood; the
            message says which.

    Example:
        >>> np.savetxt("pairs.txt", ["a.jpg b.jpg", "b.jpg a.jpg", "a.jpg other.jpg"], fmt="%s")
        >>> found = read_name_pairs("pairs.txt", names=["a.jpg", "b.jpg"])
        >>> len(found.pairs), found.repeated, found.unknown
        (1, [2], [(3, 'other.jpg')])
    """
    places = {} if names is None else places_of(names)
    listed = PairList()
    seen: set[int] = set()
    number = 0
    text = read_text(path, remedy="give the pair list as a text file in UTF-8")
    try:
        for number, line in enumerate(StringIO(text, newline="\n"), start=1):
            fields = line.split()
            if fields and not fields[0].startswith("#"):
                pair = _pair(fields)
                if names is None:
                    places.setdefault(pair.name0, len(places))
                    places.setdefault(pair.name1, len(places))
                _add(listed, seen, places, pair, number)
    except InputError as error:
        raise InputError(f"{path}, line {number}: {error}") from error
    return listed


def _pair(fields: list[str]) -> Pair:
    """One line's pair; a name is one text in memory, however often the file has it."""
    fields[:2] = map(sys.intern, fields[:2])
    return Pair(fields[0], fields[1]) if len(fields) == 2 else parse_fields(fields)


def _add(listed: PairList, seen: set[int], places: dict[str, int], pair: Pair, number: int) -> None:
    """Put one line's pair where it belongs."""
    first, second = places.get(pair.name0), places.get(pair.name1)
    if first is None or second is None:
        listed.unknown.append((number, pair.name0 if first is None else pair.name1))
        return
    if first == second:
        listed.alone.append(number)
        return
    key = first << 32 | second if first < second else second << 32 | first  # less memory than two names take
    if key in seen:
        listed.repeated.append(number)
        return
    seen.add(key)
    listed.pairs.append(pair)
