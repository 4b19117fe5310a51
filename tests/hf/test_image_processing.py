"""Pixels and positions, against transformers' Pillow processors and closed forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.superglue.image_processing_pil_superglue import SuperGlueImageProcessorPil
from transformers.models.superpoint.image_processing_pil_superpoint import SuperPointImageProcessorPil

from cyano.errors import ImageError, InputError
from cyano.hf import (
    SuperGlueForKeypointMatching,
    SuperGlueImageProcessor,
    SuperGlueKeypointMatchingOutput,
    SuperPointImageProcessor,
    SuperPointKeypointDescriptionOutput,
)
from cyano.hf.arguments import sizes_of
from support.random_weights import stereo_pair

Pair = tuple[Image.Image, Image.Image]


@pytest.fixture(scope="module")
def views() -> Pair:
    left, right = stereo_pair(497, 741)
    return left, right.resize((350, 601))


def _formats(views: Pair) -> dict[str, Any]:
    first, second = views
    array, tensor = np.asarray(first), torch.from_numpy(np.asarray(second).copy())
    grey = [np.asarray(view.convert("L"))[None] for view in views]
    return {
        "pair": [first, second],
        "tuple": (first, second),
        "list of pairs": [[first, second], [second, first], (first, first)],
        "arrays": [array, np.moveaxis(array, -1, 0)],
        "mixed": [array, tensor],
        "tensors": [tensor, tensor.permute(2, 0, 1)],
        "grey": [view.convert("L") for view in views],
        "grey arrays": grey,
        "colourless": [view.convert("L").convert("RGB") for view in views],
        "floats up to 255": [array.astype(np.float32), array.astype(np.float64)],
    }


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_grayscale": False},
        {"do_resize": False},
        {"do_rescale": False, "do_grayscale": False},
        {"size": {"height": 120, "width": 200}},
        {"size": {"height": 1000, "width": 900}, "resample": 3},
        {"rescale_factor": 0.5},
    ],
)
def test_pixels_are_those_of_transformers(views: Pair, settings: dict[str, Any], exact: bool) -> None:
    ours, theirs = SuperGlueImageProcessor(transformers_exact=exact), SuperGlueImageProcessorPil()
    tensors = None if settings.get("do_resize") is False else "pt"
    for name, images in _formats(views).items():
        got = ours(images, return_tensors=tensors, **settings)["pixel_values"]
        expected = theirs(images, return_tensors=tensors, **settings)["pixel_values"]
        for pair, expected_pair in zip(got, expected, strict=True):
            for image, expected_image in zip(pair, expected_pair, strict=True):
                mine, yours = np.asarray(image), np.asarray(expected_image)
                assert mine.dtype == yours.dtype, name
                np.testing.assert_array_equal(mine, yours, err_msg=name)


@pytest.mark.parametrize(
    "size",
    [
        {"shortest_edge": 240},
        {"shortest_edge": 240, "longest_edge": 300},
        {"shortest_edge": 240, "longest_edge": 999},
        {"max_height": 100, "max_width": 150},
        {"height": 64, "width": 80},
    ],
)
def test_sizes_that_keep_the_aspect_ratio(views: Pair, size: dict[str, int]) -> None:
    for view in (views[0], views[1], views[0].crop((0, 0, 300, 300))):
        got = SuperPointImageProcessor(size=size)(view, return_tensors="pt")["pixel_values"]
        expected = SuperPointImageProcessorPil(size=size)(view, return_tensors="pt")["pixel_values"]
        assert got.shape == expected.shape
        assert torch.equal(got, expected)


@pytest.mark.parametrize("settings", [{}, {"do_grayscale": True}])
def test_the_detectors_processor(views: Pair, settings: dict[str, Any]) -> None:
    for images in (views[0], list(views), np.stack([np.asarray(views[0])] * 2)):
        got = SuperPointImageProcessor()(images, return_tensors="pt", **settings).pixel_values
        expected = SuperPointImageProcessorPil()(images, return_tensors="pt", **settings).pixel_values
        assert torch.equal(got, expected)


def test_floats_between_0_and_1_are_not_scaled_twice(views: Pair) -> None:
    small = [view.resize((640, 480)) for view in views]
    floats = [np.asarray(view, np.float32) / 255 for view in small]
    expected = SuperGlueImageProcessor()(small, return_tensors="pt").pixel_values
    got = SuperGlueImageProcessor()(floats, return_tensors="pt").pixel_values
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)  # float32 rounding of x / 255
    exact = SuperGlueImageProcessor(transformers_exact=True)(floats, return_tensors="pt").pixel_values
    assert torch.equal(exact, SuperGlueImageProcessorPil()(floats, return_tensors="pt").pixel_values)
    assert exact.max() < 0.004  # nearly black: why the default differs
    # A resize of floats is a resize of levels without rounding, of which there are two: after either axis.
    big = SuperGlueImageProcessor()([np.asarray(view, np.float32) / 255 for view in views], return_tensors="pt")
    levels = SuperGlueImageProcessor()(list(views), return_tensors="pt").pixel_values
    torch.testing.assert_close(big.pixel_values, levels, rtol=0, atol=1.01 / 255)


def test_files_are_turned_upright_as_in_transformers(views: Pair, tmp_path: Path) -> None:
    paths = []
    for i, view in enumerate(views):
        exif = Image.Exif()
        exif[0x0112] = 6
        paths.append(tmp_path / f"{i}.png")
        view.save(paths[-1], exif=exif)
    got = SuperGlueImageProcessor()(paths, return_tensors="pt").pixel_values
    expected = SuperGlueImageProcessorPil()([str(path) for path in paths], return_tensors="pt").pixel_values
    assert torch.equal(got, expected)
    assert torch.equal(got, SuperGlueImageProcessor()([str(p) for p in paths], return_tensors="pt").pixel_values)


def test_kinds_of_images_that_transformers_refuses(views: Pair) -> None:
    process = SuperGlueImageProcessor()
    expected = process(list(views), return_tensors="pt").pixel_values
    opaque = process([view.convert("RGBA") for view in views], return_tensors="pt").pixel_values
    assert torch.equal(opaque, expected)
    grey, colour = views[0].convert("L"), views[1]
    mixed = process([grey, colour], return_tensors="pt").pixel_values
    assert mixed.shape == (1, 2, 3, 480, 640)
    assert torch.equal(mixed[0, 1], expected[0, 1])
    flat = process([np.asarray(grey), np.asarray(grey)], return_tensors="pt").pixel_values
    assert torch.equal(flat, process([grey, grey], return_tensors="pt").pixel_values)
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([0, 0, 0, 255, 255, 255])
    white = process([palette, palette], return_tensors="pt").pixel_values
    assert white.min() > 0.999  # the colour, not the index 1


@pytest.mark.parametrize("images", [None, 3, [], [1, 2], "one.jpg"])
def test_what_is_no_pair(images: Any, views: Pair) -> None:
    if images == []:
        with pytest.raises(InputError, match="size"):
            SuperGlueImageProcessor()([], return_tensors="pt")
        return
    with pytest.raises(InputError, match="pair"):
        SuperGlueImageProcessor()(images)


def test_wrong_calls(views: Pair, tmp_path: Path) -> None:
    process, (first, second) = SuperGlueImageProcessor(), views
    for images in (first, [first], [first, second, first], [[first, second], [first]], [[first, second], first]):
        with pytest.raises(InputError, match="pair"):
            process(images)
    with pytest.raises(InputError, match="one size"):
        process([first, second], do_resize=False, return_tensors="pt")
    with pytest.raises(InputError, match="return_tensors"):
        process([first, second], return_tensors="tf")
    with pytest.raises(InputError, match="size must have"):
        process([first, second], size={"edge": 3})
    for size in (1.5, "large", {"height": None, "width": 10}, {"shortest_edge": None}):
        with pytest.raises(InputError, match="size must have"):
            process([first, second], size=size)
    with pytest.raises(InputError, match="rescale_factor must be a number"):
        process([first, second], rescale_factor="1/255")
    with pytest.raises(InputError, match="do_resize must be true or false"):
        SuperGlueImageProcessor.from_dict({"do_resize": "no"})
    with pytest.raises(InputError, match="whole pixels"):
        process([first, second], size={"height": 12.5, "width": 20})
    with pytest.raises(InputError, match="bilinear"):
        process([first, second], resample=77)
    with pytest.raises(TypeError):
        process([first, second], unknown=1)
    with pytest.raises(ImageError, match="no such file"):
        process([tmp_path / "none.jpg", first])
    with pytest.raises(ImageError, match="on the web"):
        process(["https://example.org/a.jpg", first])
    with pytest.raises(ImageError, match="whole numbers"):
        process([np.full((20, 20, 3), 300.5), first])
    with pytest.raises(InputError, match="do_normalize"):
        SuperGlueImageProcessor.from_dict({"do_normalize": True})


def _matched() -> SuperGlueKeypointMatchingOutput:
    """One pair; keypoint 0 matches 1, keypoint 1 a padded one, keypoint 2 is weak."""
    keypoints = torch.tensor([[[[0.25, 0.5], [0.1, 0.1], [0.9, 0.9]], [[0.5, 0.5], [0.75, 0.25], [0.0, 0.0]]]])
    mask = torch.tensor([[[1, 1, 1], [1, 1, 0]]])
    return SuperGlueKeypointMatchingOutput(
        matches=torch.tensor([[[1, 2, 0], [2, 0, -1]]]),
        matching_scores=torch.tensor([[[0.9, 0.8, 0.1], [0.1, 0.9, 0.0]]]),
        keypoints=keypoints,
        mask=mask,
        network_sizes=torch.tensor([[[480, 640], [480, 640]]]),
    )


def test_positions_map_pixel_centres_to_pixel_centres() -> None:
    sizes = [((968, 1296), (480, 640))]
    result = SuperGlueImageProcessor().post_process_keypoint_matching(_matched(), sizes, threshold=0.2)[0]
    # x = (0.25 * 640 + 0.5) * 1296 / 640 - 0.5 and y = (0.5 * 480 + 0.5) * 968 / 480 - 0.5, by hand
    torch.testing.assert_close(result["keypoints0"], torch.tensor([[324.5125, 484.508333]]))
    torch.testing.assert_close(result["keypoints1"], torch.tensor([[480.0, 120.0]]))  # same size: no change
    assert result["keypoints0"].dtype == torch.float32
    assert result["matching_scores"].tolist() == pytest.approx([0.9])


def test_no_position_lies_beyond_the_outermost_pixels() -> None:
    output = SuperPointKeypointDescriptionOutput(
        keypoints=torch.tensor([[[0.0, 0.0], [639 / 640, 479 / 480], [0.5, 479 / 480]]]),
        scores=torch.full((1, 3), 0.5),
        descriptors=torch.ones(1, 3, 4),
        mask=torch.ones(1, 3),
        network_sizes=torch.tensor([[480, 640]]),
    )
    for height, width in ((48, 64), (960, 1280)):
        result = SuperPointImageProcessor().post_process_keypoint_detection(output, [(height, width)])[0]["keypoints"]
        if height < 480:  # enlarged: (0 + 0.5) / 10 - 0.5 would be 0.45 before the first pixel
            expected = [[0.0, 0.0], [63.0, 47.0], [(320 + 0.5) / 10 - 0.5, 47.0]]
        else:
            expected = [[0.5, 0.5], [1278.5, 958.5], [640.5, 958.5]]
        torch.testing.assert_close(result, torch.tensor(expected))


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.95])
def test_exact_positions_are_those_of_transformers(threshold: float) -> None:
    output = _matched()
    for sizes in ([((968, 1296), (333, 777))], torch.tensor([[[968, 1296], [333, 777]]])):
        exact = SuperGlueImageProcessor(transformers_exact=True)
        got = exact.post_process_keypoint_matching(output, sizes, threshold)[0]
        expected = SuperGlueImageProcessorPil().post_process_keypoint_matching(output, sizes, threshold)[0]
        for name, value in expected.items():
            assert torch.equal(got[name], value), name
            assert got[name].dtype == value.dtype, name


def test_detections_in_pixels() -> None:
    output = SuperPointKeypointDescriptionOutput(
        keypoints=torch.tensor([[[0.25, 0.5], [0.0, 0.0]]]),
        scores=torch.tensor([[0.5, 0.0]]),
        descriptors=torch.ones(1, 2, 4),
        mask=torch.tensor([[1, 0]]),
        network_sizes=torch.tensor([[480, 640]]),
    )
    result = SuperPointImageProcessor().post_process_keypoint_detection(output, [(960, 1280)])[0]
    torch.testing.assert_close(result["keypoints"], torch.tensor([[320.5, 480.5]]))
    exact = SuperPointImageProcessor(transformers_exact=True).post_process_keypoint_detection(output, [(960, 1280)])
    expected = SuperPointImageProcessorPil().post_process_keypoint_detection(output, [(960, 1280)])
    for name, value in expected[0].items():
        assert torch.equal(exact[0][name], value)
    with pytest.raises(InputError, match="target_sizes"):
        SuperPointImageProcessor().post_process_keypoint_detection(output, [(960, 1280)] * 2)


@pytest.mark.parametrize("sizes", [[], [((1, 2), (3, 4))] * 2, [(1, 2)], [((1, 2), (3,))], torch.ones(1, 2), 7])
def test_target_sizes_that_do_not_fit(sizes: Any) -> None:
    with pytest.raises(InputError, match="target_sizes"):
        SuperGlueImageProcessor().post_process_keypoint_matching(_matched(), sizes)


def test_the_networks_size_comes_with_the_output(right_model: SuperGlueForKeypointMatching, views: Pair) -> None:
    """Whatever size a call asked for, positions in pixels stay where they are in the image."""
    process = SuperGlueImageProcessor()
    sizes = [[(view.height, view.width) for view in views]]
    batch = process(list(views), return_tensors="pt", size={"height": 96, "width": 128})
    output = right_model(**batch)
    result = process.post_process_keypoint_matching(output, sizes)[0]
    relative = output.keypoints[0, 0][(output.matches[0, 0] > -1)]
    expected = (relative * torch.tensor([128, 96]) + 0.5) * torch.tensor([741 / 128, 497 / 96]) - 0.5
    torch.testing.assert_close(result["keypoints0"], expected, rtol=0, atol=1e-3)


def test_drawing_is_that_of_transformers(views: Pair) -> None:
    sizes = [[(view.height, view.width) for view in views]]
    matches = SuperGlueImageProcessor(transformers_exact=True).post_process_keypoint_matching(_matched(), sizes)
    got = SuperGlueImageProcessor().visualize_keypoint_matching(list(views), matches)
    expected = SuperGlueImageProcessorPil().visualize_keypoint_matching(list(views), matches)
    assert len(got) == 1
    np.testing.assert_array_equal(np.asarray(got[0]), np.asarray(expected[0]))
    grey = SuperGlueImageProcessor().visualize_keypoint_matching([v.convert("L") for v in views], matches)
    assert grey[0].size == got[0].size
    with pytest.raises(InputError, match="1 pairs of images but 2 results"):
        SuperGlueImageProcessor().visualize_keypoint_matching(list(views), matches * 2)


def test_files_of_both_sides(tmp_path: Path) -> None:
    ours = SuperGlueImageProcessor(size={"height": 100, "width": 200}, do_grayscale=False, transformers_exact=True)
    ours.save_pretrained(tmp_path)
    assert "transformers_exact" not in json.loads((tmp_path / "preprocessor_config.json").read_text())
    theirs = SuperGlueImageProcessorPil.from_pretrained(tmp_path)
    assert (theirs.size.height, theirs.size.width, theirs.do_grayscale) == (100, 200, False)
    theirs.save_pretrained(tmp_path)
    again = SuperGlueImageProcessor.from_pretrained(tmp_path, transformers_exact=True)
    assert again == ours
    assert SuperGlueImageProcessor.from_pretrained(tmp_path, do_resize=False, use_fast=False).do_resize is False


def test_tensors_of_every_kind_are_pictures() -> None:
    grey = torch.linspace(0, 1, 48 * 64).reshape(1, 48, 64)
    processor = SuperPointImageProcessor(do_resize=False)
    expected = processor(grey, return_tensors="pt").pixel_values
    half = processor(grey.to(torch.bfloat16).requires_grad_(), return_tensors="pt").pixel_values
    assert torch.allclose(half, expected, atol=2**-8)  # half a step of bfloat16 below 1
    mask = (grey > 0.5).expand(3, -1, -1)
    seen = processor(mask, return_tensors="pt").pixel_values
    assert torch.equal(seen, mask[None].float())


def test_sizes_that_are_none_are_one_error() -> None:
    with pytest.raises(InputError, match="target_sizes must be of shape"):
        sizes_of(None, (1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((20, 20), complex),
        np.full((20, 20), "a"),
        np.full((20, 20), None),
        np.zeros((20, 20), "M8[s]"),
        torch.zeros(20, 20, dtype=torch.complex64),
        torch.zeros(20, 20, device="meta"),
        torch.zeros(20, 20).to_sparse(),
    ],
)
def test_what_holds_no_pixels_is_one_error(picture: object) -> None:
    with pytest.raises(ImageError, match="pixels"):
        SuperPointImageProcessor()(picture, return_tensors="pt")


def test_eight_bit_floats_are_read_as_floats() -> None:
    values = torch.rand(1, 20, 20).to(torch.float8_e4m3fn)
    found = SuperPointImageProcessor(do_resize=False)(values, return_tensors="pt").pixel_values
    assert torch.equal(found[0], values.float())


def test_a_closed_picture_is_one_error(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    picture = Image.open(tmp_path / "a.png")
    picture.close()
    with pytest.raises(ImageError, match="before it is closed"):
        SuperPointImageProcessor()(picture)


@pytest.mark.parametrize("side", [float("nan"), float("inf"), 0, -5])
def test_sizes_that_no_image_has_are_refused(side: float) -> None:
    output = SuperPointKeypointDescriptionOutput(
        keypoints=torch.zeros(1, 1, 2), scores=torch.ones(1, 1), descriptors=torch.ones(1, 1, 4), mask=torch.ones(1, 1)
    )
    for processor in (SuperPointImageProcessor(), SuperPointImageProcessor(transformers_exact=True)):
        with pytest.raises(InputError, match="at least one pixel"):
            processor.post_process_keypoint_detection(output, [(20, side)])
    for other in (None, {}, "x", (1, 2)):
        with pytest.raises(InputError, match="outputs must be those of the model"):
            SuperPointImageProcessor().post_process_keypoint_detection(other, [(20, 20)])
        with pytest.raises(InputError, match="outputs must be those of the model"):
            SuperGlueImageProcessor().post_process_keypoint_matching(other, [((20, 20), (20, 20))])


def test_integers_of_32_bits_are_grey_levels_of_16() -> None:
    """PIL's mode "I", which 16-bit PNGs have after some operations; as Cyano reads them, without stretching."""
    levels = np.arange(64 * 80, dtype=np.uint16).reshape(64, 80) * 12
    wide = Image.fromarray(levels.astype(np.int32), "I")
    got, expected = (
        SuperPointImageProcessor()(image, return_tensors="pt")["pixel_values"]
        for image in (wide, Image.fromarray(levels))
    )
    torch.testing.assert_close(got, expected, atol=0, rtol=0)
