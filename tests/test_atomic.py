from __future__ import annotations

import os
from pathlib import Path

import pytest

from cyano.atomic import write_atomically, written_beside
from cyano.errors import OutputError


def test_writes_whole_files_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.bin"
    for content in (b"first", b"second, longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_no_file() -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_atomically(Path("."), b"")


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_failure_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", [False, True])
def test_what_others_write_beside_is_whole_or_absent(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "deep" / "thing"

    def make(place: Path, content: bytes) -> None:
        if folder:
            (place / "inner").mkdir(parents=True)
        place.with_name("side file").write_bytes(b"")
        (place / "inner" / "file" if folder else place).write_bytes(content)

    with written_beside(path) as place:
        make(place, b"first")
        assert not path.exists()
    with pytest.raises(OutputError, match="exists already"), written_beside(path):
        pass

    def fail() -> None:
        with written_beside(path, overwrite=True) as place:
            make(place, b"never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for content in (b"first", b"second"):
        assert (path / "inner" / "file" if folder else path).read_bytes() == content
        assert list(path.parent.iterdir()) == [path]
        with written_beside(path, overwrite=True) as place:
            make(place, b"second")


def test_nothing_written_beside_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"), written_beside(tmp_path / "x"):
        pass
    with pytest.raises(OutputError, match="is a folder"), written_beside(Path(".")):
        pass
    assert not list(tmp_path.iterdir())
