"""Features: what comes back, under which names, in how many bytes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.store import FeatureStore, StoredImage
from cyano.types import Features, ImageSize, ResizeMap
from support.stores import CONFIGURATION, NAMES, assert_same_image, image

ANY_NAME = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF, exclude_categories=()), max_size=20)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    items = {name: image(name, extras=number % 2 == 0) for number, name in enumerate(NAMES)}
    assert store.missing(NAMES) == NAMES
    assert store.count() == 0
    store.write([items[name] for name in NAMES[:10]])
    store.write([items[name] for name in NAMES[10:]])
    store.write([])
    for reader in (store, FeatureStore(tmp_path, CONFIGURATION)):
        assert reader.missing(NAMES) == []
        assert reader.count() == len(NAMES)
        assert sorted(reader.keys()) == sorted(NAMES)
        asked = [NAMES[number] for number in (12, 3, 3, 0)]
        for found, name in zip(reader.read(asked), asked, strict=True):
            assert_same_image(found, items[name])
        assert reader.read([]) == []


def test_keypoints_are_counted(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a", count=2), image("b", count=0)])
    store.write([image("c", count=5)])
    assert list(store.keypoint_counts(["c", "b", "a"]).items()) == [("c", 5), ("b", 0), ("a", 2)]
    with pytest.raises(InputError, match="lacks the features of 1 of 2 images, first those of 'd'"):
        store.keypoint_counts(["a", "d"])


@settings(max_examples=25, deadline=None)
@given(names=st.lists(ANY_NAME, min_size=1, max_size=6, unique=True), data=st.data())
def test_any_name_is_its_own(names: list[str], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        store = FeatureStore(folder, CONFIGURATION)
        stored = names[: data.draw(st.integers(1, len(names)))]
        store.write([image(name, count=2) for name in stored])
        assert store.missing(names) == names[len(stored) :]
        for found, name in zip(store.read(stored), stored, strict=True):
            assert_same_image(found, image(name, count=2))


def test_similar_names_do_not_meet(tmp_path: Path) -> None:
    names = [
        "a/b.jpg",
        "a-b.jpg",
        "a_b.jpg",
        "A/b.jpg",
        "a/./b.jpg",
        "../b.jpg",
        "",
        "1:a",
        "\udcff.jpg",
        "caf\u00e9",
        "cafe\u0301",
    ]
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image(name) for name in names])
    assert store.count() == len(names)
    for found, name in zip(store.read(names), names, strict=True):
        assert_same_image(found, image(name))


def test_float32_loses_nothing_and_float16_only_descriptors(tmp_path: Path) -> None:
    exact = replace(image("a", 50), descriptors=np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32))
    for precision, expected in (
        ("float32", exact),
        ("float16", replace(exact, descriptors=exact.descriptors.astype(np.float16))),
    ):
        store = FeatureStore(tmp_path / precision, CONFIGURATION, precision=precision)
        store.write([exact])
        assert_same_image(store.read(["a"])[0], expected)


def test_to_and_from_features(tmp_path: Path) -> None:
    frame = ResizeMap(ImageSize(1500, 1000), ImageSize(960, 640), 3)
    arrays = torch.rand(5, 2), torch.rand(5), torch.rand(5, 4), torch.rand(5, 3)
    features = Features(arrays[0], arrays[1], arrays[2], frame, arrays[3])
    store = FeatureStore(tmp_path, CONFIGURATION, precision="float32")
    store.write([StoredImage.of("a", "c0ffee", features)])
    found = store.read(["a"])[0].to_features()
    assert found.frame == frame
    for array, expected in zip((found.keypoints, found.scores, found.descriptors, found.extras), arrays, strict=True):
        assert array is not None
        assert torch.equal(array, expected)
        assert array.dtype == torch.float32
        array.add_(1)  # it belongs to the caller


def test_an_image_that_changed_is_told(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.write([image("a"), image("b")])
    contents = {"a": image("a").content, "b": "another", "not stored": ""}
    now = time.time() + 60
    assert store.changed(dict.fromkeys(contents, now), contents.__getitem__) == ["b"]
    assert store.changed(dict.fromkeys(contents, now - 3600), contents.__getitem__) == []  # nobody touched them since


def test_shards_are_safetensors_of_the_promised_size(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    items = [image(f"photographs/{number:06d}.jpg", 2048, 256) for number in range(4)]
    store.write(items)
    ((name, size),) = store.sizes().items()
    payload = 2048 * (2 * 4 + 4 + 256 * 2)
    assert payload == 1_073_152
    assert payload < size / len(items) < payload + 700
    tensors = safetensors.numpy.load_file(store.folder / name)
    assert len(tensors) == 3 * len(items)
    assert any(np.array_equal(tensors[f"{row}/keypoints"], items[0].keypoints) for row in range(4))


def test_what_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    good = image("a", 3)
    with pytest.raises(InputError, match="each once"):
        store.write([good, good])
    with pytest.raises(InputError, match=r"keypoints \(N, 2\)"):
        replace(good, scores=good.scores[:2])
    with pytest.raises(InputError, match="not finite"):
        replace(good, keypoints=np.full((3, 2), np.nan, np.float32))
    with pytest.raises(InputError, match="not ASCII"):
        replace(good, content="é")
    with pytest.raises(InputError, match="float16 cannot hold"):
        store.write([replace(good, descriptors=np.full((3, 8), 1e6, np.float32))])
    with pytest.raises(InputError, match="lacks 1 of the 1 features asked for, first those of 'a'"):
        store.read(["a"])
    assert store.missing(["a", "b", "a"]) == ["a", "b"]
