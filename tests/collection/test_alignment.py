"""Keypoints of several images made exact: whose place they take, and that they take it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from cyano.collection import Collection, Run, align_images, write_database, write_hloc
from cyano.engine import Recipe, Share
from cyano.engine.references import References, find_references
from cyano.errors import InputError
from cyano.options import MatcherOptions
from cyano.processing.resize import ResizeRule
from cyano.store import FeatureStore, MatchStore, StoredImage, StoredPair, TwoViewGeometry
from cyano.types import ImageSize, ResizeMap
from support.collection import VERIFICATION, recipe

VIEWS = 4
SIZE = ImageSize(200, 260)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([], [-1, -1, -1]),
        ([(0, 1)], [-1, 0, -1]),  # the first of two alike
        ([(1, 0), (1, 2)], [1, -1, 1]),  # a star
        ([(0, 1), (1, 2), (2, 3), (2, 4)], [-1, 2, -1, 2, 2]),  # 0 matches no keypoint that stays
        ([(0, 1), (0, 2), (3, 2), (3, 4), (3, 5)], [-1, 0, 3, -1, 3, 3]),  # 2 goes by the one with more matches
    ],
)
def test_references(edges: list[tuple[int, int]], expected: list[int]) -> None:
    parts = np.array_split(np.array(edges, np.int64).reshape(-1, 2), 2)
    found = find_references(lambda: iter(parts), len(expected))
    assert found.tolist() == expected


def test_references_by_loops() -> None:
    rng = np.random.default_rng(0)
    total = 60
    edges = np.unique(np.sort(rng.integers(0, total, (90, 2)), axis=1), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    neighbours: list[set[int]] = [set() for _ in range(total)]
    for a, b in edges.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)

    def rank(keypoint: int) -> tuple[int, int]:
        return len(neighbours[keypoint]), -keypoint

    stays = {k for k in range(total) if all(rank(k) > rank(n) for n in neighbours[k])}
    expected = [max(neighbours[k] & stays, key=rank, default=-1) for k in range(total)]
    assert find_references(lambda: iter(np.array_split(edges, 7)), total).tolist() == expected


def _write(folder: Path) -> tuple[Collection, FeatureStore, MatchStore, list[np.ndarray]]:
    """Views of one photograph by known warps, with keypoints that are beside their points of it, each its own way."""
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    photograph = cv2.cvtColor(skimage_data.astronaut(), cv2.COLOR_RGB2GRAY)
    rng = np.random.default_rng(4)
    corners = cv2.goodFeaturesToTrack(photograph[:200, :260], 300, 0.01, 6)[:, 0].astype(np.float64)
    points = corners[((corners > 40) & (corners < (220, 160))).all(axis=1)]
    (folder / "images").mkdir()
    networks = recipe().networks
    options = MatcherOptions(resize=ResizeRule.none())
    collection = Collection(folder / "images", folder / "out", Recipe(networks, options), VERIFICATION)
    warps, images = [], []
    for number in range(VIEWS):
        turn = cv2.getRotationMatrix2D((130, 100), 6 * number, 1 + 0.05 * number)
        warps.append(turn)
        picture = cv2.warpAffine(photograph, turn, (SIZE.width, SIZE.height), flags=cv2.INTER_CUBIC)
        name = f"{number}.png"
        cv2.imwrite(str(folder / "images" / name), picture)
        there = points @ turn[:, :2].T + turn[:, 2] + rng.normal(0, 0.7, points.shape)
        frame = ResizeMap.identity(SIZE)
        descriptors = rng.normal(size=(len(points), 4)).astype(np.float16)
        scores = np.full(len(points), 0.5, np.float32)
        images.append(StoredImage(name, "c0ffee", there.astype(np.float32), scores, descriptors, frame))
    features, matches = collection.extraction().open(), collection.matching().open()
    features.write(images)
    every = np.arange(len(points), dtype=np.int32)
    geometry = TwoViewGeometry("homography", np.eye(3), np.ones(len(points), bool))
    scores = np.full(len(points), 0.9, np.float32)
    alike = np.stack([every, every], axis=1)
    pairs = [(f"{a}.png", f"{b}.png") for a, b in combinations(range(VIEWS), 2)]
    matches.write([StoredPair(*pair, alike, scores, geometry) for pair in pairs])
    return collection, features, matches, warps


def _spread(keypoints: dict[str, np.ndarray], warps: list[np.ndarray]) -> float:
    """How far apart the views have a point of the photograph: the median over points and pairs of views."""
    seen = [(keypoints[f"{n}.png"] - warp[:, 2]) @ np.linalg.inv(warp[:, :2]).T for n, warp in enumerate(warps)]
    return float(np.median([np.linalg.norm(a - b, axis=1) for a, b in combinations(seen, 2)]))


def test_references_by_image(tmp_path: Path) -> None:
    references = References(["a", "b", "c"], np.array([0, 2, 2, 5]), np.array([3, -1, 0, -1, 1]))
    references.save(tmp_path / "references.safetensors")
    found = References.load(tmp_path / "references.safetensors")
    laid = {name: [(other, own.tolist(), theirs.tolist()) for other, own, theirs in found.of(name)] for name in "abc"}
    assert laid == {"a": [("c", [0], [1])], "b": [], "c": [("a", [0, 2], [0, 1])]}
    whole = (tmp_path / "references.safetensors").read_bytes()
    for damaged in b"damaged", b"", whole[: len(whole) // 2], whole[:-1] + b"!":
        (tmp_path / "references.safetensors").write_bytes(damaged)
        with pytest.raises(InputError, match="made again"):
            References.load(tmp_path / "references.safetensors")
    starts = np.array([0, 2, 2, 5])
    for wrong in (
        References(["a"], starts, np.full(5, -1)),
        References(["a", "b", "c"], starts, np.full(4, -1)),
        References(["a", "b", "c"], starts, np.full(5, 5)),
        References(["a", "b", "c"], np.array([0, 3, 2, 5]), np.full(5, -1)),
        References(["a", "b", "c"], starts, np.full(5, -1.0)),  # type: ignore[arg-type]
    ):
        wrong.save(tmp_path / "references.safetensors")
        with pytest.raises(InputError, match="made again"):
            References.load(tmp_path / "references.safetensors")


def test_damaged_references_heal(tmp_path: Path) -> None:
    collection, _, _, _ = _write(tmp_path)
    names = collection.names()
    path = collection.aligning(names).open().folder / "references.safetensors"
    sound = path.read_bytes()
    References(["x"], np.array([0, 0]), np.zeros(0, np.int64)).save(path.with_name("other"))
    for damaged in (b"", sound[:-1] + b"!", path.with_name("other").read_bytes()):
        path.write_bytes(damaged)
        assert collection.aligning(names).references().names == names
        assert path.read_bytes() == sound


def test_all_images_have_a_point_in_one_place_then(tmp_path: Path) -> None:
    collection, features, _, warps = _write(tmp_path)
    names = [f"{number}.png" for number in range(VIEWS)]
    before = {image.name: image.keypoints for image in features.read(names)}
    parts = [align_images(collection, Run(share=Share(index, 2))).done for index in range(2)]
    assert sum(parts) == VIEWS
    stored = collection.aligning(names).open().read(names)
    after = {image.name: image.keypoints for image in stored}
    assert np.array_equal(after["0.png"], before["0.png"])  # all match alike, so the first image stays
    assert sum(image.moved for image in stored) > 0.8 * (VIEWS - 1) * len(before["0.png"])
    # 0.7 pixels along each axis, in both of two views, against two alignments by warped pixels.
    assert _spread(before, warps) > 0.9
    assert _spread(after, warps) < 0.15
    (collection.images / "0.png").unlink()
    rest = align_images(collection)  # other pairs make other references
    assert (rest.total, rest.done) == (VIEWS - 1, VIEWS - 1)


def test_an_image_more_costs_those_that_are_laid_over_others_now(tmp_path: Path) -> None:
    collection, features, matches, _ = _write(tmp_path)
    align_images(collection)
    names = [f"{number}.png" for number in range(VIEWS)]
    before = collection.aligning(names).open().read(names)
    # The new image sees every other point of the last one, and nothing of the rest.
    (last,) = features.read([names[-1]])
    (collection.images / "4.png").write_bytes((collection.images / names[-1]).read_bytes())
    features.write([replace(last, name="4.png")])
    every = np.arange(0, len(last.keypoints), 2, dtype=np.int32)
    geometry = TwoViewGeometry("homography", np.eye(3), np.ones(len(every), bool))
    scores = np.full(len(every), 0.9, np.float32)
    matches.write([StoredPair(names[-1], "4.png", np.stack([every, every], axis=1), scores, geometry)])
    again = align_images(collection)
    # Half of the points are seen most often by the last of the old images now, and 0 to 2 are laid over it.
    assert (again.total, again.kept, again.done) == (VIEWS + 1, 0, VIEWS + 1)
    (collection.images / "4.png").unlink()
    assert align_images(collection).kept == VIEWS
    (collection.images / "5.png").write_bytes((collection.images / "0.png").read_bytes())
    features.write([replace(last, name="5.png")])
    alone = align_images(collection)
    assert (alone.kept, alone.done) == (VIEWS, 1)
    after = collection.aligning([*names, "5.png"]).open().read(names)
    for image, earlier in zip(after, before, strict=True):
        np.testing.assert_array_equal(image.keypoints, earlier.keypoints)


def test_what_is_not_aligned_is_not_written(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    collection, *_ = _write(tmp_path)
    for write in (write_database, write_hloc):
        with pytest.raises(InputError, match=r"4 images .* have no refined keypoints .*cyano align"):
            write(collection)
    assert not collection.database.exists()
    assert not collection.hloc.exists()


def test_hloc_has_them(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="the extra collections brings h5py")
    collection, features, _, _ = _write(tmp_path)
    align_images(collection)
    names = [f"{number}.png" for number in range(VIEWS)]
    exact = {image.name: image.keypoints for image in collection.aligning(names).open().read(names)}
    found = {image.name: image.keypoints for image in features.read(names)}
    for align, expected in ((True, exact), (False, found)):
        write_hloc(collection, align=align)
        with h5py.File(collection.hloc / "features.h5") as file:
            for name in names:
                np.testing.assert_array_equal(file[name]["keypoints"], expected[name])


def test_the_database_has_them(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap", reason="the extra collections brings pycolmap")
    collection, features, _, warps = _write(tmp_path)
    names = [f"{number}.png" for number in range(VIEWS)]
    places = {}
    align_images(collection)
    for align in (True, False):
        summary = write_database(collection, align=align)
        assert (summary.moved_keypoints > 0) == align
        with pycolmap.Database.open(str(collection.database)) as opened:
            ids = {image.name: image.image_id for image in opened.read_all_images()}
            places[align] = {name: opened.read_keypoints(ids[name])[:, :2] - 0.5 for name in names}
    assert _spread(places[True], warps) < 0.2 * _spread(places[False], warps)
    stored = {image.name: image.keypoints for image in features.read(names)}
    for name in names:  # half a pixel there and back in float32
        np.testing.assert_allclose(places[False][name], stored[name], atol=1e-4)
