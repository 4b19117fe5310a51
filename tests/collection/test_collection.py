"""Stages and results of a small collection, with tiny random networks: what is chosen, what is made again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cyano.collection import (
    Collection,
    Run,
    align_images,
    extract_images,
    match_pairs,
    reconstruct,
    select_pairs,
    verify_pairs,
    write_database,
)
from cyano.collection import stages as stages_module
from cyano.collection.derived import check_derived, derived, source_of
from cyano.collection.reconstruction import _of_guesses
from cyano.engine import Share, extraction
from cyano.errors import InputError, OutputError
from cyano.formats import CameraEntry, CameraOptions
from cyano.pairs import PairOptions
from cyano.retrieval import VladOptions
from cyano.types import ImageSize
from support.collection import VERIFICATION, recipe, write_images
from support.photographs import write_photographs
from support.stores import assert_same_pair


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(write_images(tmp_path / "images", 6), tmp_path / "out", recipe(), VERIFICATION)


def test_many_images_are_paired_by_how_they_look(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the extra collections brings scikit-learn")
    extract_images(collection)
    few = select_pairs(collection)
    assert few.method == "exhaustive, the default for up to 100 images"
    assert len(few.pairs) == 15
    monkeypatch.setattr(stages_module, "EXHAUSTIVE_UP_TO", 5)
    many = select_pairs(collection, vlad=VladOptions(clusters=4))
    assert many.method == "retrieval, the default for more than 5 images"
    assert set(many.pairs) <= set(few.pairs)
    nearest = select_pairs(collection, PairOptions("retrieval", top_k=1), VladOptions(clusters=4))
    assert nearest.method == "retrieval, as asked for"
    assert set(nearest.pairs) < set(many.pairs)
    assert list((collection.store / "codebooks").iterdir())


def test_the_database_follows_the_images(collection: Collection) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    with pytest.raises(InputError, match="extract"):
        write_database(collection)
    extract_images(collection)
    match_pairs(collection, select_pairs(collection).pairs)
    align_images(collection)
    whole = write_database(collection)
    assert (whole.images, whole.pairs) == (6, 15)
    made = collection.database.stat().st_mtime_ns
    assert write_database(collection) == whole
    assert collection.database.stat().st_mtime_ns == made
    (collection.images / "card.png").unlink()
    align_images(collection)
    rest = write_database(collection)
    assert (rest.images, rest.pairs) == (5, 10)
    collection.database.unlink()
    assert write_database(collection) == rest


def test_verifying_afterwards_is_verifying_at_once(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="match-all --no-verify"):
        verify_pairs(collection)
    later = Collection(collection.images, tmp_path / "later", collection.recipe, None)
    for one in (collection, later):
        extract_images(one)
        match_pairs(one, select_pairs(one).pairs)
    later = replace(later, verification=VERIFICATION)
    with pytest.raises(OutputError, match="verification was None"):
        match_pairs(later, select_pairs(later).pairs)
    shares = [verify_pairs(later, Run(share=Share(index, 2))).done for index in (0, 1)]
    assert sum(shares) == 15
    assert verify_pairs(later).kept == 15
    (_, expected, _), (_, found, _) = collection.stored(), later.stored()
    pairs = sorted(expected.keys())
    assert any(pair.geometry is not None for pair in expected.read(pairs))
    for pair, other in zip(found.read(pairs), expected.read(pairs), strict=True):
        assert_same_pair(pair, other)


def test_pictures_that_are_turned_are_told_of(collection: Collection) -> None:
    assert collection.turned() is None
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(collection.images / "turned.jpg", exif=exif)
    exif[0x0112] = 1
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(collection.images / "upright.jpg", exif=exif)
    (collection.images / "broken.jpg").write_bytes(b"no image")
    assert "EXIF turns 1 images (turned.jpg)" in (collection.turned() or "")


def test_images_that_have_changed_are_told_of(collection: Collection) -> None:
    extract_images(collection)
    card, other = (collection.images / name for name in collection.names()[:2])
    before = card.read_bytes()
    other.touch()
    assert extract_images(collection).kept == 6
    card.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match=f"1 images have changed .*{card.name}.*--out"):
        extract_images(collection)
    assert collection.extraction().open().compact().shards_after == 1
    with pytest.raises(InputError, match=card.name):
        extract_images(collection)
    card.write_bytes(before)
    assert extract_images(collection).kept == 6


def test_a_replaced_image_is_noticed_whatever_the_clocks_say(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_images(collection)
    monkeypatch.setattr(extraction, "_touched", lambda _: 0.0)  # a server whose clock is behind
    card = collection.images / "card.png"
    before = card.read_bytes()
    Image.fromarray(np.full((64, 64), 91, np.uint8)).save(card)
    with pytest.raises(InputError, match=card.name):
        extract_images(collection)
    card.write_bytes(before)
    assert extract_images(collection).kept == 6


def test_a_changed_mask_is_a_changed_image(collection: Collection, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    for name in collection.names():
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        with Image.open(collection.images / name) as image:
            Image.new("L", image.size, 255).save(masks / f"{name}.png")
    masked = replace(collection, recipe=replace(collection.recipe, masks=masks))
    extract_images(masked)
    name = masked.names()[0]
    (masks / f"{name}.png").unlink()
    with pytest.raises(InputError, match=name):
        extract_images(masked)


def test_wrong_cameras_are_refused_before_the_work(collection: Collection) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    listed = {"absent/": CameraEntry("PINHOLE", (500.0, 500.0, 320.0, 240.0))}
    with pytest.raises(InputError, match="'absent/' belong to no image"):
        reconstruct(collection, cameras=CameraOptions(listed=listed))
    assert not collection.store.exists()
    with pytest.raises(InputError, match="PINHOLE has the parameters fx, fy, cx, cy"):
        CameraOptions("PINHOLE", params=(500.0, 320.0, 240.0))
    with pytest.raises(InputError, match="unknown camera model 'PIN'"):
        CameraOptions("PIN")


@pytest.mark.parametrize(
    ("method", "content", "fact"),
    [
        ("list", None, "there is no such file|there is no file"),
        ("list", "one-word\n", "line 1: "),
        ("list", "absent.png other.png\n", "selects no pair of 6 images; left out 1 lines"),
        ("poses", None, "there is no such file|there is no file"),
        ("poses", "name 1 2\n", "line 1: "),
        ("EXIF", None, "none of the 6 images has a position in EXIF"),
    ],
)
def test_wrong_pairs_are_refused_before_the_work(
    collection: Collection, tmp_path: Path, method: str, content: str | None, fact: str
) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    file = tmp_path / "listed.txt"
    if content is not None:
        file.write_text(content)
    spatial = PairOptions("spatial", poses=None if method == "EXIF" else file)
    with pytest.raises(InputError, match=fact):
        reconstruct(collection, PairOptions("list", pair_list=file) if method == "list" else spatial)
    assert not collection.store.exists()


def test_focal_lengths_that_nobody_told_are_told_of(collection: Collection) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    extract_images(collection)
    align_images(collection)
    guessed = write_database(collection)
    assert guessed.guessed_cameras == guessed.cameras == 6
    (note,) = _of_guesses(guessed, CameraOptions())
    assert "6 of 6 cameras is not known" in note
    assert "(--cameras)" in note
    assert "(--cameras)" not in _of_guesses(guessed, CameraOptions(sharing="all"))[0]  # which is done already
    with pytest.raises(InputError, match="--cameras-file"):  # the images are of three shapes
        write_database(collection, CameraOptions("SIMPLE_PINHOLE", "all", (90.0, 32.0, 32.0)))


def test_focal_lengths_that_were_told_are_not_guessed(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    images = write_photographs(tmp_path / "images", 4, ImageSize(96, 128))
    collection = Collection(images, tmp_path / "out", recipe(), VERIFICATION)
    extract_images(collection)
    align_images(collection)
    known = write_database(collection, CameraOptions("SIMPLE_PINHOLE", "all", (90.0, 64.0, 48.0)))
    assert known.guessed_cameras == 0
    assert not _of_guesses(known, CameraOptions())


def test_a_model_takes_all_of_the_work(collection: Collection) -> None:
    with pytest.raises(InputError, match="in shares"):
        reconstruct(collection, run=Run(share=Share(0, 2)))


@dataclass(frozen=True)
class Size:
    bytes: int


def test_derived_files(tmp_path: Path) -> None:
    target, calls = tmp_path / "result.bin", []

    def make(path: Path) -> Size:
        calls.append(source_of(target))
        path.write_bytes(b"abc")
        return Size(3)

    assert [derived(target, "x", make, Size) for _ in range(2)] == [Size(3), Size(3)]
    assert (calls, source_of(target)) == ([None], "x")
    derived(target, "y", make, Size)
    assert (calls, source_of(target)) == ([None, "x"], "y")  # the old one stays until the new one is there
    target.unlink()
    assert source_of(target) is None
    derived(target, "y", make, Size)
    (tmp_path / "result.json").unlink()
    with pytest.raises(OutputError, match="was not made by this command"):
        derived(target, "y", make, Size)
    assert derived(target, "y", make, Size, force=True) == Size(3)


RECORDS = {
    "no JSON": lambda document: b"damaged",
    "no object": lambda document: b"[1]",
    "an unknown key": lambda document: json.dumps({**document, "more": 1}).encode(),
    "no summary": lambda document: json.dumps({**document, "summary": None}).encode(),
    "another summary": lambda document: json.dumps({**document, "summary": {"bytes": "3"}}).encode(),
    "a summary of something else": lambda document: json.dumps({**document, "summary": {"metres": 3}}).encode(),
    "another digest": lambda document: json.dumps({**document, "digest": "0"}).encode(),
}


@pytest.mark.parametrize("damage", RECORDS.values(), ids=RECORDS.keys())
def test_a_damaged_record_counts_as_none(tmp_path: Path, damage: Callable[[Any], bytes]) -> None:
    target, calls = tmp_path / "result.bin", []

    def make(path: Path) -> Size:
        calls.append(path)
        path.write_bytes(b"abc")
        return Size(3)

    derived(target, "x", make, Size)
    record = tmp_path / "result.json"
    record.write_bytes(damage(json.loads(record.read_bytes())))
    assert derived(target, "x", make, Size) == Size(3)
    assert len(calls) == 2
    assert derived(target, "x", make, Size) == Size(3)
    assert len(calls) == 2


@pytest.mark.parametrize("folder", [False, True])
def test_what_has_changed_is_made_again_and_kept(tmp_path: Path, folder: bool) -> None:
    target = tmp_path / "result"

    def make(path: Path) -> Size:
        (path / "deep").mkdir(parents=True) if folder else None
        (path / "deep" / "file" if folder else path).write_bytes(b"abc")
        return Size(3)

    derived(target, "x", make, Size)
    inner = target / "deep" / "file" if folder else target
    assert check_derived(tmp_path) == []
    inner.write_bytes(b"abd")  # a flipped bit
    assert source_of(target) is None
    assert [damage.path for damage in check_derived(tmp_path)] == [target]
    assert derived(target, "x", make, Size) == Size(3)
    assert inner.read_bytes() == b"abc"
    kept = tmp_path / "result.changed"
    assert (kept / "deep" / "file" if folder else kept).read_bytes() == b"abd"
    assert check_derived(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result", "result.changed", "result.json"]


def test_the_record_of_another_run_is_noticed(tmp_path: Path) -> None:
    """Two runs at once with different images: whoever is last with one of the two files is not with the other."""
    target = tmp_path / "result.bin"

    def maker(content: bytes) -> Callable[[Path], Size]:
        def make(path: Path) -> Size:
            path.write_bytes(content)
            return Size(len(content))

        return make

    derived(target, "ours", maker(b"ours"), Size)
    ours = (tmp_path / "result.json").read_bytes()
    derived(target, "theirs", maker(b"their"), Size)
    (tmp_path / "result.json").write_bytes(ours)
    assert source_of(target) is None
    assert derived(target, "ours", maker(b"ours"), Size) == Size(4)
    assert target.read_bytes() == b"ours"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"

    def make(path: Path) -> Size:
        path.write_bytes(b"abc")
        return Size(3)

    def fail(path: Path) -> Size:
        path.write_bytes(b"a")
        raise OSError(28, "No space left on device")

    derived(target, "x", make, Size)
    with pytest.raises(OutputError, match="No space left"):
        derived(target, "y", fail, Size)
    assert (target.read_bytes(), source_of(target)) == (b"abc", "x")
    assert derived(target, "y", make, Size) == Size(3)
    shutil.rmtree(tmp_path)
