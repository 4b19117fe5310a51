"""Results of different options never mix."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from cyano.errors import InputError, OutputError
from cyano.store import FeatureStore, MatchStore, open_stores
from support.stores import CONFIGURATION, image, pair

CHANGED = {**CONFIGURATION, "max_keypoints": 40}


def test_changed_options_are_refused_and_named(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a")])
    with pytest.raises(OutputError, match=r"\(max_keypoints was 20 and is 40 now\).*--overwrite"):
        FeatureStore(tmp_path, CHANGED)
    with pytest.raises(OutputError, match="stored_precision was float16 and is float32 now"):
        FeatureStore(tmp_path, CONFIGURATION, precision="float32")
    with pytest.raises(OutputError, match=r"threshold was 0\.2 and is None now"):
        FeatureStore(tmp_path, {name: value for name, value in CONFIGURATION.items() if name != "threshold"})
    with pytest.raises(OutputError, match=r"max_keypoints was 20 and is 20\.0 now"):
        FeatureStore(tmp_path, {**CONFIGURATION, "max_keypoints": 20.0})
    assert len(list((tmp_path / "features").iterdir())) == 1
    assert FeatureStore(tmp_path, dict(reversed(CONFIGURATION.items()))).missing(["a"]) == []
    MatchStore(tmp_path, CHANGED)  # has options of its own


def test_force_begins_anew_beside_the_old(tmp_path: Path) -> None:
    FeatureStore(tmp_path, CONFIGURATION).write([image("a")])
    forced = FeatureStore(tmp_path, CHANGED, force=True)
    assert forced.missing(["a"]) == ["a"]
    forced.write([image("b")])
    assert FeatureStore(tmp_path, CONFIGURATION).missing(["a", "b"]) == ["b"]
    assert FeatureStore(tmp_path, CHANGED).missing(["a", "b"]) == ["a"]
    with pytest.raises(OutputError, match=r"max_keypoints was [24]0 and is 41 now"):
        FeatureStore(tmp_path, {**CONFIGURATION, "max_keypoints": 41})


def test_a_lost_record_is_written_anew(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a")])
    for content in (None, b"{"):
        (store.folder / "config.json").unlink()
        if content:
            (store.folder / "config.json").write_bytes(content)
        assert FeatureStore(tmp_path, CONFIGURATION).missing(["a"]) == []
    (store.folder / "config.json").write_bytes(b"{")
    with pytest.raises(OutputError, match="cannot be read"):
        FeatureStore(tmp_path, CHANGED)


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    for value in (math.nan, Path()):
        with pytest.raises(InputError, match="a configuration maps names to"):
            FeatureStore(tmp_path, {"value": value})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="unknown precision 'int8': choose one of float16, float32"):
        FeatureStore(tmp_path, {}, precision="int8")  # type: ignore[arg-type]


def test_the_store_beside_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    with pytest.raises(InputError, match=rf"{tmp_path} holds no store; give {tmp_path / 'store'}$"):
        open_stores(tmp_path)


def test_all_stores_of_a_folder_open(tmp_path: Path) -> None:
    FeatureStore(tmp_path, CONFIGURATION, precision="float32").write([image("a")])
    MatchStore(tmp_path, CONFIGURATION).write([pair("a", "b")])
    features, matches = open_stores(tmp_path)
    assert isinstance(features, FeatureStore)
    assert isinstance(matches, MatchStore)
    assert (features.precision, matches.precision) == ("float32", "float16")
    assert (list(features.keys()), list(matches.keys())) == (["a"], [("a", "b")])
    with pytest.raises(InputError, match="holds no store"):
        open_stores(tmp_path / "features")
    features.folder.rename(features.folder.with_name("renamed"))
    with pytest.raises(InputError, match="belongs to another folder"):
        open_stores(tmp_path)


def test_a_shard_of_another_configuration_is_damage(tmp_path: Path) -> None:
    ours, theirs = FeatureStore(tmp_path, CONFIGURATION), FeatureStore(tmp_path, CHANGED, force=True)
    ours.write([image("a")])
    (name,) = ours.sizes()
    theirs.write([image("b")])
    (other,) = theirs.sizes()
    os.replace(ours.folder / name, theirs.folder / other)
    assert theirs.missing(["a", "b"]) == ["a", "b"]


def test_unusable_places_give_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        FeatureStore(tmp_path / "file", CONFIGURATION)
    (tmp_path / "features").write_text("")
    with pytest.raises(OutputError, match=r"features.*cannot be written"):
        FeatureStore(tmp_path, CONFIGURATION)
    store = MatchStore(tmp_path, CONFIGURATION)
    store.write([pair("a", "b")])

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    # The user that runs the tests may be one whom no permission stops.
    for target, name in ((Path, "mkdir"), (os, "replace"), (os, "unlink")):
        monkeypatch.setattr(target, name, read_only)
    with pytest.raises(OutputError, match="cannot be written: Read-only file system; check the folder"):
        MatchStore(tmp_path / "new", CONFIGURATION)
    reader = MatchStore(tmp_path, CONFIGURATION)
    assert reader.missing([("b", "a"), ("a", "c")]) == [("a", "c")]
    with pytest.raises(OutputError, match="Read-only file system"):
        reader.write([pair("a", "c")])
    (name,) = store.sizes()
    (store.folder / name).write_bytes((store.folder / name).read_bytes()[:-1])
    assert reader.missing([("a", "b")]) == [("a", "b")]
    assert reader.verify() == []  # known to be damaged, though it could not be set aside
