from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyano.errors import ImageError, InputError
from cyano.processing.masks import (
    find_mask,
    keep_keypoints,
    mask_path_for,
    mask_scores,
    mask_seen,
    read_mask,
    read_masks,
)
from cyano.types import ImageSize, ResizeMap

KEEP = np.array([[True, False, True], [False, False, True]])
SIZE = ImageSize(2, 3)


class TestReadMask:
    @pytest.mark.parametrize(
        "source",
        [
            KEEP,
            KEEP.astype(np.uint8),  # one is kept as well as 255
            KEEP.astype(np.uint16),
            KEEP.astype(np.float32),
            KEEP[..., None],
            np.stack([KEEP * 0, KEEP * 0, KEEP], axis=2).astype(np.uint8),  # the faintest blue
            torch.from_numpy(KEEP),
            torch.from_numpy(KEEP.astype(np.uint8))[None],
            Image.fromarray(KEEP),
            Image.fromarray(KEEP.astype(np.uint8) * 255),
            Image.fromarray(KEEP.astype(np.uint8) * 255).convert("P"),
        ],
    )
    def test_black_is_ignored(self, source: object) -> None:
        mask = read_mask(source, SIZE)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, KEEP)

    def test_transparent_is_ignored(self) -> None:
        rgba = np.full((2, 3, 4), 255, np.uint8)
        rgba[..., 3] = KEEP
        np.testing.assert_array_equal(read_mask(rgba, SIZE), KEEP)

    def test_opaque_black_is_ignored(self) -> None:
        rgba = np.zeros((2, 3, 4), np.uint8)
        rgba[..., 3] = 255
        assert not read_mask(rgba, SIZE).any()

    def test_from_a_file(self, tmp_path: Path) -> None:
        Image.fromarray(KEEP).save(tmp_path / "1.jpg.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "1.jpg.png", SIZE), KEEP)

    def test_another_size_is_refused(self) -> None:
        with pytest.raises(ImageError, match=r"mask is 2x3 .* image is 3x2"):
            read_mask(KEEP, ImageSize(3, 2))

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"none\.png: there is no such file"):
            read_mask(tmp_path / "none.png", SIZE)


class TestMaskPath:
    def test_the_name_of_the_image_with_png_behind(self, tmp_path: Path) -> None:
        assert mask_path_for("room/1.jpg", "masks") == Path("masks/room/1.jpg.png")
        assert mask_path_for(Path("1.tar.jpg"), Path("masks")) == Path("masks/1.tar.jpg.png")
        assert mask_path_for(tmp_path / "1.jpg", "masks") == Path("masks/1.jpg.png")

    def test_relative_to_the_image_folder(self, tmp_path: Path) -> None:
        path = mask_path_for(tmp_path / "room" / "1.jpg", tmp_path / "masks", tmp_path)
        assert path == tmp_path / "masks" / "room" / "1.jpg.png"

    @pytest.mark.parametrize(("path", "folder"), [("../1.jpg", None), ("a/../../1.jpg", "a"), ("b/1.jpg", "a")])
    def test_images_outside_of_the_folder_are_refused(self, path: str, folder: str | None) -> None:
        with pytest.raises(InputError, match=r"1\.jpg"):
            mask_path_for(path, "masks", folder)


class TestKeepKeypoints:
    def test_by_the_pixel_that_a_point_is_on(self) -> None:
        centres = np.array([[x, y] for y in range(2) for x in range(3)], dtype=np.float32)
        for shift in ([0, 0], [0.49, 0.49], [-0.49, -0.49]):
            keep = keep_keypoints(KEEP, centres + np.array(shift, np.float32))
            assert keep.dtype == np.bool_
            np.testing.assert_array_equal(keep, KEEP.ravel())

    def test_the_outer_rim_belongs_to_the_image(self) -> None:
        rim = np.array([[-0.5, -0.5], [2.5, -0.5], [2.5, 1.5], [-0.5, 1.5]])
        assert keep_keypoints(KEEP, rim).tolist() == [True, True, True, False]

    def test_points_outside_are_not_kept(self) -> None:
        outside = np.array([[-0.6, 0], [2.6, 0], [0, -0.6], [0, 1.6], [1e30, 0], [np.nan, 0], [0, -np.inf]])
        assert not keep_keypoints(np.ones((2, 3), bool), outside).any()

    def test_no_points(self) -> None:
        keep = keep_keypoints(KEEP, np.zeros((0, 2), np.float32))
        assert keep.shape == (0,)
        assert keep.dtype == np.bool_


def test_scores_are_masked_where_they_lie_in_the_original() -> None:
    """The network's image is turned and half the size; only the original's right half is kept."""
    size = ImageSize(40, 60)
    frame = ResizeMap(size, ImageSize(30, 20), quarter_turns=1)
    mask = np.zeros((40, 60), bool)
    mask[:, 30:] = True
    scores = torch.rand(30, 20) + 0.1
    before = scores.clone()
    masked = mask_scores(scores, mask, frame)
    # A counter-clockwise turn brings the right half to the top.
    assert torch.equal(masked[:15], scores[:15])
    assert (masked[15:] == 0).all()
    assert torch.equal(scores, before)


@pytest.mark.parametrize("turns", [0, 1])
def test_the_mask_that_the_network_sees_hides_the_same(turns: int) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((31, 44)) < 0.5
    seen_as = ImageSize(17, 20) if turns == 0 else ImageSize(20, 17)
    frame = ResizeMap(ImageSize(31, 44), seen_as, turns)
    scores = torch.from_numpy(rng.uniform(0.1, 1, (seen_as.height, seen_as.width))).float()
    seen = mask_seen(mask, frame)
    assert 0.3 < seen.mean() < 0.7
    assert np.array_equal(mask_scores(scores, mask, frame).numpy() > 0, seen)


def test_a_mask_for_a_folder_or_for_all(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    for name in ("a/1.jpg.png", "a/mask.png", "b/deep/mask.png"):
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        (masks / name).write_bytes(b"")
    found = {name: find_mask(name, masks).relative_to(masks).as_posix() for name in ("a/1.jpg", "a/2.jpg", "a/c/3.jpg")}
    assert found == {"a/1.jpg": "a/1.jpg.png", "a/2.jpg": "a/mask.png", "a/c/3.jpg": "a/mask.png"}
    assert find_mask("b/deep/1.jpg", masks) == masks / "b/deep/mask.png"
    assert find_mask("b/1.jpg", masks) == masks / "b/1.jpg.png"  # there is none, which reading it says
    (masks / "mask.png").write_bytes(b"")
    assert find_mask("b/1.jpg", masks) == find_mask("1.jpg", masks) == masks / "mask.png"
    assert find_mask("b/1.jpg", masks / "a" / "mask.png") == masks / "a" / "mask.png"
    with pytest.raises(InputError, match="points out"):
        find_mask("../1.jpg", masks)


def test_a_list_says_the_masks_of_images_and_folders(tmp_path: Path) -> None:
    path = tmp_path / "masks.txt"
    path.write_text(
        "# of the rig\n\nleft/* rig/left.png\nleft/odd.jpg\tother masks/odd one.png\r\nroom/ /tmp/room.png\n"
    )
    assert {name: find_mask(name, path) for name in ("left/1.jpg", "left/a/2.jpg", "left/odd.jpg", "room/1.jpg")} == {
        "left/1.jpg": tmp_path / "rig/left.png",
        "left/a/2.jpg": tmp_path / "rig/left.png",
        "left/odd.jpg": tmp_path / "other masks/odd one.png",
        "room/1.jpg": Path("/tmp/room.png"),
    }
    missing = find_mask("leftover/1.jpg", path)
    assert not missing.exists()
    with pytest.raises(ImageError, match=r"masks\.txt/leftover/1\.jpg"):
        read_mask(missing, ImageSize(10, 10))
    path.write_text("* all.png\n")  # a list that has changed is read again
    assert find_mask("leftover/1.jpg", path) == tmp_path / "all.png"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.jpg\n", "line 1: not NAME MASK"),
        ("a b.jpg mask.png\n", "line 1: not NAME MASK; put a tab"),
        ("a/* 1.png\na/ 2.png\n", "'a/' appears twice"),
    ],
)
def test_lists_that_are_wrong_are_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "masks.txt").write_text(text)
    with pytest.raises(InputError, match=told):
        read_masks(tmp_path / "masks.txt")
