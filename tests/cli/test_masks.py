"""Masks of a collection's images, in COLMAP's names."""

from pathlib import Path

import numpy as np
from PIL import Image

from cyano.store.opening import open_stores
from support.commands import run
from support.photographs import write_photographs


def test_no_keypoint_lies_where_the_mask_is_black(tmp_path: Path) -> None:
    images, masks, out = tmp_path / "images", tmp_path / "masks", tmp_path / "out"
    write_photographs(images / "room", 3)
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    for number, name in enumerate(names[:2]):
        with Image.open(images / name) as image:
            mask = np.full((image.height, image.width), 255, np.uint8)
        mask[:, : 40 + 20 * number] = 0
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(masks / f"{name}.png")
    options = ("--out", out, "--masks", masks, "--resize", "120", "--device", "cpu")  # half of the photographs' width
    result = run("extract", images, *options)
    assert result.exit_code == 3
    assert f"{names[2]}.png" in result.stderr.split(f"failed: {names[2]}")[1]  # the mask that is missing
    (features,) = open_stores(out / "store")
    for number, image in enumerate(features.read(names[:2])):
        x = image.keypoints[:, 0]
        assert len(x) > 10
        # A pixel of the resized image is two of the original, and a keypoint is refined by up to half of one.
        assert x.min() >= 40 + 20 * number - 2
        assert x.min() < 80

    refused = run("extract", images, "--out", out, "--resize", "120", "--device", "cpu")
    assert refused.exit_code == 1
    assert "masks was True" in refused.stderr
    Image.fromarray(np.full((5, 5), 255, np.uint8)).save(masks / f"{names[2]}.png")
    wrong = run("extract", images, *options, "--retry")
    assert wrong.exit_code == 3
    assert "mask is 5x5" in wrong.stderr
    absent = run("extract", images, "--out", tmp_path / "other", "--masks", tmp_path / "none")
    assert absent.exit_code == 1
    assert "none: there is no such folder or file" in absent.stderr


def test_a_list_has_a_mask_for_a_folder(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    write_photographs(images / "room", 2)
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    with Image.open(images / names[0]) as image:
        mask = np.full((image.height, image.width), 255, np.uint8)
    mask[:, :60] = 0
    Image.fromarray(mask).save(tmp_path / "left black.png")
    (tmp_path / "masks.txt").write_text("room/*\tleft black.png\n")
    options = ("--out", out, "--masks", tmp_path / "masks.txt", "--resize", "120", "--device", "cpu")
    assert run("extract", images, *options).exit_code == 0
    (features,) = open_stores(out / "store")
    for image in features.read(names):
        assert len(image.keypoints) > 10
        assert 58 <= image.keypoints[:, 0].min() < 80  # as above
    (tmp_path / "masks.txt").write_text("room/* left black.png\n")
    refused = run("extract", images, *options)
    assert refused.exit_code == 1
    assert "line 1: not NAME MASK" in " ".join(refused.stderr.split())
