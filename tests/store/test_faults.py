"""What goes wrong: killed writers, crowds, damage, faults at every operation. Nothing is lost and nothing is wrong."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cyano.errors import CyanoError, InputError, OutputError
from cyano.store import FeatureStore, MatchStore, StoredPair
from cyano.store.shard import encode
from support import stores
from support.stores import CONFIGURATION, NAMES, PAIRS, assert_same_image, assert_same_pair, image, pair


def _assert_complete(root: Path) -> None:
    """All items, value for value those of a run that nothing disturbed; none besides them; no damage."""
    features, matches = FeatureStore(root, CONFIGURATION), MatchStore(root, CONFIGURATION)
    assert features.verify() == matches.verify() == []
    assert (features.count(), matches.count()) == (len(NAMES), len(PAIRS))
    for found, name in zip(features.read(NAMES), NAMES, strict=True):
        assert_same_image(found, image(name))
    for stored, names in zip(matches.read(PAIRS), PAIRS, strict=True):
        assert_same_pair(stored, pair(*names, "pose"))


def _writer(root: Path, seed: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(stores.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, stores.__file__, str(root), str(seed)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kills = 0
    for seed in range(40):
        with _writer(tmp_path, seed) as writer:
            assert writer.stdout is not None
            for _ in range(1 + int(rng.integers(4))):
                writer.stdout.readline()  # that it begins, then of each portion
            if seed < 8:
                time.sleep(float(rng.uniform(0, 0.003)))  # somewhere in the next one
                writer.send_signal(signal.SIGKILL)
            writer.stdout.read()
            if writer.wait(timeout=20) == 0:
                break
        kills += 1
    assert kills >= 3
    _assert_complete(tmp_path)


def test_writers_at_once(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, seed) for seed in range(4)]  # all of them write everything
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    _assert_complete(tmp_path)
    matches = MatchStore(tmp_path, CONFIGURATION)
    assert matches.compact().shards_after == 1
    _assert_complete(tmp_path)


def test_the_shard_of_the_same_items_is_the_same(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    for names in (NAMES, NAMES[::-1]):
        store.write([image(name) for name in names])
    (name,) = store.sizes()
    content = (store.folder / name).read_bytes()
    other = FeatureStore(tmp_path / "other", CONFIGURATION)
    other.write([image(name) for name in NAMES])
    assert {name: content} == {path.name: path.read_bytes() for path in other.folder.glob("*.safetensors")}


def test_an_item_in_two_shards_has_one_winner(tmp_path: Path) -> None:
    """Results differ here, as they never should, to see which one is taken: always the same."""
    store = MatchStore(tmp_path, CONFIGURATION)
    versions = [StoredPair("a", "b", np.full((1, 2), n, np.int32), np.ones(1, np.float32)) for n in range(6)]
    answers = set()
    for number, version in enumerate(versions):
        store.write([version, pair("c", f"{number}")])
        MatchStore(tmp_path, CONFIGURATION).missing([])  # publishes the catalogue, or not
    first = min(store.sizes())
    for prepare in (lambda: None, lambda: _lose_catalogue(store), store.compact):
        prepare()
        for reader in (store, MatchStore(tmp_path, CONFIGURATION)):
            assert reader.count() == 7
            answers.add(int(reader.read([("a", "b")])[0].indices[0, 0]))
    assert len(answers) == 1
    assert first not in store.sizes()


def _lose_catalogue(store: MatchStore | FeatureStore) -> None:
    (store.folder / "catalogue.sqlite").unlink()


def test_damage_is_found_set_aside_and_made_again(tmp_path: Path) -> None:
    store = MatchStore(tmp_path, CONFIGURATION)
    tiles = [PAIRS[start : start + 20] for start in range(0, len(PAIRS), 20)]
    for tile in tiles:
        store.write([pair(*names, "pose") for names in tile])
    originals = {name: (store.folder / name).read_bytes() for name in store.sizes()}
    rng = np.random.default_rng(0)
    for number in range(60):
        name = sorted(originals)[number % len(originals)]
        content = bytearray(originals[name])
        position = int(rng.integers(len(content)))
        if number % 3 == 0:
            del content[position:]
        else:
            content[position] ^= 1 << int(rng.integers(8))
        (store.folder / name).write_bytes(content)
        reader = MatchStore(tmp_path, CONFIGURATION)
        if number % 2:  # by looking for it, or by stumbling over it
            (damage,) = reader.verify()
            assert damage.path.name == name
            assert str(damage.path) in damage.reason
        else:
            with pytest.raises(InputError, match=r"lacks .* repeat the command"):
                reader.read(PAIRS)
        lost = reader.missing(PAIRS)
        assert lost in [sorted(tile, key=PAIRS.index) for tile in tiles]
        reader.write([pair(*names, "pose") for names in lost])
        assert (store.folder / name).read_bytes() == originals[name]
    for found, names in zip(store.read(PAIRS), PAIRS, strict=True):
        assert_same_pair(found, pair(*names, "pose"))
    assert list(store.folder.glob("*.damaged"))
    store.compact()
    assert not list(store.folder.glob("*.damaged"))


def test_a_damaged_copy_gives_way_to_a_sound_one(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a", 5), image("b", 5)])
    store.write([image("a", 5)])
    store.missing([])
    name = min(store.sizes())
    content = bytearray((store.folder / name).read_bytes())
    content[-1] ^= 1
    (store.folder / name).write_bytes(content)
    for _ in range(2):
        assert_same_image(store.read(["a"])[0], image("a", 5))
        assert len(store.verify()) <= 1


@pytest.mark.parametrize("damage", ["deleted", "empty", "cut", "flipped", "garbage", "stale", "folder", "another's"])
def test_the_catalogue_is_never_needed(tmp_path: Path, damage: str) -> None:
    store = MatchStore(tmp_path, CONFIGURATION)
    store.write([pair(*names) for names in PAIRS[:40]])
    store.missing([])
    catalogue = store.folder / "catalogue.sqlite"
    content = catalogue.read_bytes()
    store.write([pair(*names) for names in PAIRS[40:80]])
    other = MatchStore(tmp_path / "other", CONFIGURATION)
    other.write([pair(*names) for names in PAIRS[60:]])
    other.missing([])
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 4
    kinds: dict[str, bytes] = {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "flipped": bytes(damaged),
        "garbage": os.urandom(5000),
        "stale": content,
        "another's": (other.folder / "catalogue.sqlite").read_bytes(),
    }
    catalogue.unlink()
    if damage == "folder":
        catalogue.mkdir()
    elif damage != "deleted":
        catalogue.write_bytes(kinds[damage])
    reader = MatchStore(tmp_path, CONFIGURATION)
    assert reader.missing(PAIRS) == PAIRS[80:]
    assert reader.count() == 80
    for found, names in zip(reader.read(PAIRS[:80]), PAIRS[:80], strict=True):
        assert_same_pair(found, pair(*names))
    assert catalogue.exists()


def test_a_catalogue_that_goes_bad_while_it_is_open(tmp_path: Path) -> None:
    store = MatchStore(tmp_path, CONFIGURATION)
    store.write([pair(f"{number}", "b", count=1) for number in range(2000)])
    store.missing([])
    with (store.folder / "catalogue.sqlite").open("r+b") as file:
        file.truncate(4096)
    reader_keys = [(f"{number}", "b") for number in range(0, 2000, 7)]
    assert store.missing([*reader_keys, ("new", "b")]) == [("new", "b")]


def test_only_finished_shards_are_read(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a")])
    (name,) = store.sizes()
    sound = (store.folder / name).read_bytes()
    for litter in (f".{name}.0123456789abcdef", f"{name}.tmp", f"{name}.123.tmp", "x.safetensors", f"x{name}"):
        (store.folder / litter).write_bytes(sound[:-1])
    old = store.folder / f".{'f' * 32}.safetensors.0123456789abcdef"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    reader = FeatureStore(tmp_path, CONFIGURATION)
    assert (reader.count(), reader.verify(), list(reader.sizes())) == (1, [], [name])
    reader.compact()
    assert not old.exists()
    assert (store.folder / f".{name}.0123456789abcdef").exists()  # its writer may be at work


def test_compaction_under_a_reader(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    for name in NAMES:
        store.write([image(name)])
    reader = FeatureStore(tmp_path, CONFIGURATION)
    assert reader.missing(NAMES) == []
    keys = reader.keys()
    seen = [next(keys)]
    outcome = store.compact()
    assert (outcome.shards_before, outcome.shards_after) == (len(NAMES), 1)
    assert outcome.bytes_after < outcome.bytes_before
    for found, name in zip(reader.read(NAMES), NAMES, strict=True):
        assert_same_image(found, image(name))
    assert sorted([*seen, *keys]) == sorted(NAMES)
    assert store.compact() == store.compact()
    store.write([image(name) for name in NAMES[:3]])  # done again by a slow worker
    assert store.count() == len(NAMES)
    assert store.compact().shards_after == 1


class _Fault:
    """Lets operations pass until the n-th, which fails; so do all after it, as on a disk that stays full."""

    def __init__(self, number: int, code: int) -> None:
        self.left = number
        self.code = code

    def wrap(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise OSError(self.code, os.strerror(self.code))
            return operation(*args, **kwargs)

        return wrapped


@contextmanager
def _failing(fault: _Fault) -> Iterator[None]:
    opened = Path.open

    def open_(path: Path, mode: str = "r", **kwargs: Any) -> Any:
        file = opened(path, mode, **kwargs)
        if mode != "xb":
            return file
        writable = type("Writable", (), {"__enter__": lambda self: self, "__exit__": lambda self, *_: file.close()})()
        for name in ("write", "flush"):
            setattr(writable, name, fault.wrap(getattr(file, name)))
        writable.fileno = file.fileno
        return writable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", fault.wrap(open_))
        for name in ("fsync", "replace", "unlink"):
            patch.setattr(os, name, fault.wrap(getattr(os, name)))
        yield


def _message_of(work: Callable[[], None]) -> str | None:
    """What the user is told, if anything; other errors than Cyano's are bugs."""
    try:
        work()
    except CyanoError as error:
        return str(error)
    return None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_every_operation_may_fail(tmp_path: Path, code: int) -> None:
    prepared = tmp_path / "prepared"
    before = MatchStore(prepared, CONFIGURATION)
    for start in range(0, 40, 10):
        before.write([pair(*names) for names in PAIRS[start : start + 10]])

    def work(root: Path) -> None:
        store = MatchStore(root, CONFIGURATION)
        store.missing(PAIRS[:60])
        store.write([pair(*names) for names in PAIRS[40:60]])
        store.compact()
        assert store.missing(PAIRS[:60]) == []

    for number in range(1000):
        root = tmp_path / f"{number}"
        shutil.copytree(prepared, root)
        fault = _Fault(number, code)
        with _failing(fault):
            message = _message_of(lambda: work(root))  # noqa: B023
        assert message is None or os.strerror(code) in message
        store = MatchStore(root, CONFIGURATION)
        for found, names in zip(store.read(PAIRS[:40]), PAIRS[:40], strict=True):
            assert_same_pair(found, pair(*names))
        work(root)
        assert store.verify() == []
        if fault.left >= 0:
            break
        shutil.rmtree(root)
    assert number > 20


def test_a_foreign_shard_is_refused(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a")])
    (name,) = store.sizes()
    other = f"{'0' * 32}.safetensors"
    for document in ({}, {"shard": other}, {"shard": other, "images": [1]}, {"shard": other, "images": 3}):
        (store.folder / other).write_bytes(encode(document, {"0/scores": np.zeros(3, np.float32)}))
        reader = FeatureStore(tmp_path, CONFIGURATION)
        assert reader.missing(["a", "b"]) == ["b"]
        assert list(reader.keys()) == ["a"]
        assert list(reader.sizes()) == [name]  # the foreign one was set aside
        (store.folder / other).write_bytes(encode(document, {}))
        assert [item.name for item in reader.items()] == ["a"]


def test_a_disk_without_space(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk: the system refuses in the midst of a write."""
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("small", 1)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            store.write([image("large", 2048)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.missing(["small", "large"]) == ["large"]
    assert len(list(store.folder.glob(".*"))) == 0
    store.write([image("large", 2048)])
    assert store.count() == 2
