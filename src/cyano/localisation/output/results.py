"""A folder of results: what is there is not made again, and whatever stops the work loses nothing that was done.

OUT/localisations.jsonl  a line for each photograph, appended when it is done: the one file that the others follow from
OUT/poses.txt            `name qw qx qy qz tx ty tz`, as hloc has it
OUT/trajectory.txt       poses by time in TUM's form, if the names hold numbers
OUT/sparse               the map and the photographs with a pose in one COLMAP model
OUT/failed.txt           the photographs without a certain pose, and why
OUT/summary.json         counts, options, digests
OUT/pictures             if asked for: each photograph beside its best image of the map; they go with their results
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

from cyano import __version__
from cyano.atomic import append_line, tidy, write_atomically, written
from cyano.concise import json_text
from cyano.errors import InputError
from cyano.formats.colmap.posed_model import PosedImage, write_with_images
from cyano.localisation.localiser import Localiser
from cyano.localisation.output.records import MadeFrom, Record, read_records
from cyano.localisation.output.texts import failed_lines, pose_lines, trajectory_lines
from cyano.localisation.queries import Query
from cyano.reading import read_bytes

__all__ = ["Results"]

_LINES, _POSES, _FAILED = "localisations.jsonl", "poses.txt", "failed.txt"
_TRAJECTORY, _SUMMARY, _MODEL, _PICTURES = "trajectory.txt", "summary.json", "sparse", "pictures"


class Results:
    """The results of one map and one set of options."""

    def __init__(self, folder: Path, localiser: Localiser, *, overwrite: bool = False) -> None:
        """Open a folder of results, or begin one.

        Args:
            folder: of the results; made if it is not there.
            localiser: that makes them.
            overwrite: drop those of another map or other options instead of refusing.

        Raises:
            InputError: there are such, or what is there is damaged.
            OutputError: nothing can be written there.
        """
        self.folder, self._localiser = folder, localiser
        self._map, self._options = localiser.map.digest, _digest(json.dumps(_options(localiser)).encode())
        lines = folder / _LINES
        tidy(folder, {_LINES, _POSES, _FAILED, _TRAJECTORY, _SUMMARY, _MODEL}.__contains__)
        self.records = {} if overwrite and not _is_ours(lines) else read_records(lines)
        others = [each for each in self.records.values() if not self._is_current(each)]
        if others and not overwrite:
            what = "another map" if others[0].made_from.map != self._map else "other options"
            raise InputError(
                f"{folder} holds localisations in {what} ({len(others)}, first {others[0].name!r}); give another "
                "--out, or drop them with --overwrite"
            )
        for each in others:
            self.remove_picture(each.name)
        self.records = {name: each for name, each in self.records.items() if self._is_current(each)}
        self._write_lines()

    def _is_current(self, record: Record) -> bool:
        return (record.made_from.map, record.made_from.options) == (self._map, self._options)

    def made_from(self, query: Query, others: Sequence[Query] = (), rig: str = "") -> MadeFrom:
        """What decides the result of a photograph; of one that cannot be read its name stands for it.

        Args:
            query: the photograph.
            others: of the same moment, by the other cameras of a rig.
            rig: all that is known of that.
        """
        parts = []
        for each in (query, *others):
            files = [each.path] if each.mask is None else [each.path, each.mask]
            try:
                content = [read_bytes(path) for path in files]
            except InputError:
                content = [each.name.encode("utf-8", "surrogateescape")]
            parts += [
                *content,
                repr(each.camera).encode(),
                *([] if each.prior is None else [repr(each.prior).encode()]),
            ]
        return MadeFrom(self._map, self._options, _digest(*parts, *([rig.encode()] if rig else [])))

    def kept(self, query: Query, made_from: MadeFrom) -> Record | None:
        """The result of a photograph that is there already; those that could not be used are tried again."""
        found = self.records.get(query.name)
        return found if found is not None and found.made_from == made_from and found.status != "not usable" else None

    def add(self, record: Record) -> None:
        """Keep a result, at once and whole.

        Raises:
            OutputError: it cannot be written.
        """
        append_line(self.folder / _LINES, record.line())
        self.records.pop(record.name, None)
        self.records[record.name] = record

    def picture(self, name: str) -> Path:
        """Where the picture of a photograph goes, in the folder of the results whatever its name is."""
        parts = [part if part != ".." else "_" for part in PurePosixPath(name).parts if part != "/"]
        return self.folder / _PICTURES / f"{'/'.join(parts)}.png"

    def remove_picture(self, name: str) -> None:
        """Before another result takes the place of the one that it shows.

        Raises:
            OutputError: it cannot be removed.
        """
        path = self.picture(name)
        if not path.is_file():
            return
        with written(path):
            path.unlink()
        with suppress(OSError):  # other pictures are left
            for folder in list(path.relative_to(self.folder).parents)[:-1]:
                (self.folder / folder).rmdir()

    def finish(self, notes: Iterable[str] = ()) -> dict[str, Any]:
        """Write what follows from the results, and return the summary.

        Args:
            notes: for people, to keep in the summary.

        Raises:
            OutputError: a file cannot be written.
        """
        self._write_lines()
        records = list(self.records.values())
        self._write(_POSES, pose_lines(records))
        self._write(_FAILED, failed_lines(records))
        self._write(_TRAJECTORY, trajectory_lines(records))
        posed = [
            PosedImage(record.name, record.camera.lens, record.T_world_to_camera)
            for record in records
            if record.camera is not None
        ]
        write_with_images(self._localiser.map.folder / "sparse" / "0", posed, self.folder / _MODEL)
        summary = self._summary(list(notes))
        write_atomically(self.folder / _SUMMARY, json_text(summary).encode("ascii"))
        return summary

    def _summary(self, notes: list[str]) -> dict[str, Any]:
        names = (_LINES, _POSES, _TRAJECTORY, _FAILED, _SUMMARY, _MODEL)
        files = {name.split(".")[0]: str(self.folder / name) for name in names if (self.folder / name).exists()}
        if any(self.picture(name).is_file() for name in self.records):
            files[_PICTURES] = str(self.folder / _PICTURES)
        return {
            "format": "cyano-localise-1",
            "version": __version__,
            "map": str(self._localiser.map.folder),
            "photographs": len(self.records),
            "statuses": dict(Counter(record.status for record in self.records.values())),
            "options": _options(self._localiser),
            "digests": {"map": self._map, "options": self._options},
            "notes": notes,
            "files": {**files, "summary": str(self.folder / _SUMMARY)},
        }

    def _write_lines(self) -> None:
        self._write(_LINES, [record.line() for record in self.records.values()])

    def _write(self, name: str, lines: list[str] | None) -> None:
        """A text file, whole; None removes one of before."""
        path = self.folder / name
        if lines is None:
            path.unlink(missing_ok=True)
            return
        write_atomically(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


def _is_ours(path: Path) -> bool:
    """Whether a file of results can be read."""
    try:
        read_records(path)
    except InputError:
        return False
    return True


def _options(localiser: Localiser) -> dict[str, Any]:
    """All that decides a result but the map and the photograph."""
    place = localiser.map
    aligned = localiser.matcher.options.align and place.images is not None
    return {**place.recipe.match_configuration(None), **asdict(localiser.options), "aligned": aligned}


def _digest(*parts: bytes) -> str:
    total = blake2b(digest_size=16)
    for part in parts:
        total.update(b"%d:%b" % (len(part), part))
    return total.hexdigest()
