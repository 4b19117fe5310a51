from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cyano import atomic
from cyano.atomic import append_line, tidy, write_atomically, written_beside
from cyano.errors import OutputError


def test_writes_whole_files_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.bin"
    for content in (b"first", b"second, longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert list(path.parent.iterdir()) == [path]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for path in (file / "x", file / "in" / "x"):
        with pytest.raises(OutputError, match=rf"{path} cannot be written: {file} is a file, not a folder; give"):
            write_atomically(path, b"1")


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


def writer(target: Path, content: str, *, folder: bool = False) -> subprocess.Popen[bytes]:
    """A process in the midst of writing."""
    code = f"""
import sys, time
from pathlib import Path
from cyano.atomic import written_beside
with written_beside(Path({str(target)!r}), overwrite=True) as place:
    if {folder}:
        place.mkdir()
        place = place / "inner"
    place.write_text({content!r})
    print(flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("folder", [False, True])
def test_what_killed_writers_left_is_removed_and_what_others_write_stays(tmp_path: Path, folder: bool) -> None:
    target = tmp_path / "result"
    with writer(target, "killed", folder=folder) as killed, writer(target, "at work", folder=folder) as at_work:
        killed.kill()
        killed.wait()
        left = {path.name for path in tmp_path.iterdir()}
        tidy(tmp_path, target.name.__eq__)
        assert {path.name for path in tmp_path.iterdir()} == left  # young: one may be about to lock it
        others = tmp_path / ".else.0123456789abcdef"
        others.write_text("not ours")
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
        tidy(tmp_path, target.name.__eq__)
        (one,) = {path.name for path in tmp_path.iterdir()} - {others.name}
        inner = tmp_path / one / target.name
        assert (inner / "inner" if folder else inner).read_text() == "at work"
        at_work.kill()
    tidy(tmp_path / "absent", target.name.__eq__)


def test_messages_do_not_tell_of_the_private_place(tmp_path: Path) -> None:
    def make() -> None:
        with written_beside(tmp_path / "result") as place:
            raise OutputError(f"{place / 'inner'} cannot be written")

    with pytest.raises(OutputError, match=rf"^{tmp_path}/result/inner cannot be written"):
        make()


def test_folders_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "folder"
    for content in ("first", "second", "third"):
        if content == "third":  # where the file system cannot
            monkeypatch.setattr(atomic, "_exchanged", lambda *_: False)
        with written_beside(target, overwrite=True) as place:
            place.mkdir()
            (place / content).write_text(content)
        assert [path.name for path in target.iterdir()] == [content]
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_longest_names_have_room_for_a_private_one(tmp_path: Path) -> None:
    name = "\u00e4" * 127  # 254 bytes
    write_atomically(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path / ("x" * 256), b"x")
    with pytest.raises(OutputError, match="null"):
        write_atomically(tmp_path / "a\0b", b"x")


def test_a_line_that_has_no_room_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append_line(log, "first")
    append_line(log, "second")
    assert log.read_bytes() == b"first\nsecond\n"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))  # three bytes of the line fit
        with pytest.raises(OutputError, match="cannot be written"):
            append_line(log, "third")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert log.read_bytes() == b"first\nsecond\n"
    with pytest.raises(OutputError, match="cannot be written"):
        append_line(tmp_path / "absent" / "log.jsonl", "line")
