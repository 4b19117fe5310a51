from __future__ import annotations

import numpy as np
import pytest
import torch

from cyano.errors import ImageError
from cyano.processing.images import read
from cyano.processing.pixels import grey_and_rgb
from support.images import colours

RGB = colours(20, 30)
# The definition, in double precision.
GREY = (0.299 * RGB[..., 0] + 0.587 * RGB[..., 1] + 0.114 * RGB[..., 2]) / 255.0
# A handful of float32 roundings of numbers up to one.
ROUNDING = 3e-7


class TestGrey:
    def test_is_the_weighted_sum(self) -> None:
        image = read(RGB)
        assert image.grey.dtype == np.float32
        assert image.rgb.dtype == np.uint8
        np.testing.assert_allclose(image.grey, GREY, atol=ROUNDING)
        np.testing.assert_array_equal(image.rgb, RGB)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_colourless_pixels_keep_their_value_exactly(self, dtype: type[np.unsignedinteger]) -> None:
        top = np.iinfo(dtype).max
        values = np.linspace(0, top, 1024).astype(dtype).reshape(32, 32)
        expected = values.astype(np.float32) / np.float32(top)
        assert expected.max() == 1
        for image in (values, np.stack([values] * 3, axis=2)):
            np.testing.assert_array_equal(read(image).grey, expected)

    def test_large_images_are_converted_in_bands_without_a_seam(self) -> None:
        tall = np.tile(RGB, (40, 20, 1))  # 800x600: two bands
        np.testing.assert_array_equal(read(tall).grey, np.tile(read(RGB).grey, (40, 20)))

    def test_sixteen_bits_keep_their_precision(self) -> None:
        steps = np.arange(400, dtype=np.uint16).reshape(20, 20)
        grey = read(steps, stretch=False).grey
        assert len(np.unique(grey)) == 400
        np.testing.assert_allclose(grey, steps / 65535, rtol=1e-6)

    @pytest.mark.parametrize(("value", "expected"), [(0, 0), (128, 0), (129, 1), (32768, 128), (65535, 255)])
    def test_sixteen_bits_are_rounded_for_display(self, value: int, expected: int) -> None:
        # 65535 / 255 = 257 steps of 16 bits make one of 8.
        assert (read(np.full((16, 16), value, np.uint16)).rgb == expected).all()

    @pytest.mark.parametrize("white", [255, 65535, 1.0])
    def test_transparency_shows_a_white_page(self, white: float) -> None:
        dtype = {255: np.uint8, 65535: np.uint16, 1.0: np.float32}[white]
        opacity = np.random.default_rng(1).random((20, 30, 1))
        rgba = np.concatenate([RGB / 255, opacity], axis=2) * white
        rgba = (np.rint(rgba) if white > 1 else rgba).astype(dtype)
        colour, alpha = rgba[..., :3] / white, rgba[..., 3:] / white
        expected = (colour * alpha + (1 - alpha)) @ [0.299, 0.587, 0.114]
        # The blended colours are rounded to the image's own steps.
        np.testing.assert_allclose(read(rgba).grey, expected, atol=0.5 / white if white > 1 else ROUNDING)

    def test_nothing_shines_through_transparent_pixels(self) -> None:
        image = read(np.concatenate([RGB, np.zeros((20, 30, 1), np.uint8)], axis=2))
        assert (image.grey == 1).all()
        assert (image.rgb == 255).all()


class TestForms:
    @pytest.mark.parametrize(
        "array",
        [
            np.asfortranarray(RGB),
            np.repeat(RGB, 2, axis=1)[:, ::2],
            RGB[::-1, ::-1][::-1, ::-1].copy()[::-1][::-1],
            np.ascontiguousarray(RGB[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
            RGB / 255,
            (RGB / 255).astype(np.float32),
            RGB.astype(np.uint16) * 257,
            (RGB.astype(np.uint16) * 257).astype(">u2"),
            (RGB / 255).astype(">f4"),
            (RGB / 255).astype(">f8"),
            np.concatenate([RGB, np.full((20, 30, 1), 255, np.uint8)], axis=2),
        ],
    )
    def test_layouts_byte_orders_and_dtypes_are_one_image(self, array: np.ndarray) -> None:
        before = array.copy()
        image = read(array)
        np.testing.assert_allclose(image.grey, GREY, atol=ROUNDING)
        np.testing.assert_array_equal(image.rgb, RGB)
        np.testing.assert_array_equal(array, before)

    @pytest.mark.parametrize(
        "tensor",
        [
            torch.from_numpy(RGB),
            torch.from_numpy(RGB).permute(2, 0, 1),
            (torch.from_numpy(RGB) / 255).permute(2, 0, 1).requires_grad_(),
            (torch.from_numpy(RGB).double() / 255).permute(2, 0, 1).contiguous(),
            torch.from_numpy(RGB.astype(np.uint16) * 257),
            torch.cat([torch.from_numpy(RGB), torch.full((20, 30, 1), 255, dtype=torch.uint8)], dim=2),
        ],
    )
    def test_tensors_of_either_channel_order(self, tensor: torch.Tensor) -> None:
        image = read(tensor)
        np.testing.assert_allclose(image.grey, GREY, atol=ROUNDING)
        np.testing.assert_array_equal(image.rgb, RGB)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision(self, dtype: torch.dtype) -> None:
        grey = read((torch.from_numpy(RGB) / 255).to(dtype)).grey
        assert grey.dtype == np.float32
        np.testing.assert_allclose(grey, GREY, atol=2.0**-8)  # bfloat16 has 8 bits below the leading one

    def test_a_short_first_axis_of_a_tensor_is_its_channels(self) -> None:
        assert read(torch.zeros(3, 40, 50)).grey.shape == (40, 50)
        assert read(torch.zeros(1, 40, 50)).grey.shape == (40, 50)
        assert read(torch.zeros(40, 50, 1)).grey.shape == (40, 50)
        assert read(torch.zeros(40, 50)).grey.shape == (40, 50)

    def test_booleans_are_black_and_white(self) -> None:
        values = RGB[..., 0] > 100
        np.testing.assert_array_equal(read(values).grey, values.astype(np.float32))
        np.testing.assert_array_equal(read(torch.from_numpy(values)).rgb[..., 1], values * 255)

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_the_result_is_a_copy(self, dtype: type) -> None:
        source = np.zeros((20, 30, 3), dtype)
        for grey_or_colour in (source, source[..., 0]):
            image = read(grey_or_colour)
            image.rgb[:] = 1
            image.grey[:] = 1
        assert (source == 0).all()

    def test_grey_of_native_pixels_does_not_touch_them(self) -> None:
        pixels = np.random.default_rng(0).random((20, 30, 4), dtype=np.float32)
        before = pixels.copy()
        grey_and_rgb(pixels)
        np.testing.assert_array_equal(pixels, before)


class TestRefusals:
    @pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32", "complex64", "object", "U1"])
    def test_other_dtypes_are_named(self, dtype: str) -> None:
        with pytest.raises(ImageError, match=rf"dtype {np.dtype(dtype)} .* convert them to uint8"):
            read(np.zeros((20, 30), dtype))

    @pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.complex64])
    def test_other_tensor_dtypes_are_named(self, dtype: torch.dtype) -> None:
        with pytest.raises(ImageError, match=rf"dtype {dtype} .* convert them to uint8"):
            read(torch.zeros(20, 30, dtype=dtype))

    @pytest.mark.parametrize("tensor", [torch.zeros(20, 30).to_sparse(), torch.zeros(20, 30, device="meta")])
    def test_tensors_without_plain_values_are_refused(self, tensor: torch.Tensor) -> None:
        with pytest.raises(ImageError, match="only dense tensors"):
            read(tensor)

    @pytest.mark.parametrize("shape", [(), (30,), (20, 30, 2), (20, 30, 5), (3, 20, 30), (1, 20, 30, 3), (20, 30, 0)])
    def test_other_shapes_are_named(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ImageError, match=r"an array image is .* not \("):
            read(np.zeros(shape, np.uint8))

    @pytest.mark.parametrize("shape", [(30,), (2, 20, 30), (20, 30, 2), (1, 3, 20, 30)])
    def test_other_tensor_shapes_are_named(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ImageError, match=r"a tensor image is .* not \("):
            read(torch.zeros(shape))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nan_and_infinity_are_refused(self, value: float) -> None:
        pixels = np.zeros((20, 30, 3), np.float32)
        pixels[7, 11, 1] = value
        with pytest.raises(ImageError, match="NaN or infinity"):
            read(pixels)
        with pytest.raises(ImageError, match="NaN or infinity"):
            read(torch.from_numpy(pixels))

    @pytest.mark.parametrize("value", [-0.01, 1.01, 255.0])
    def test_floats_out_of_range_are_refused_with_the_remedy(self, value: float) -> None:
        pixels = np.zeros((20, 30))
        pixels[3, 4] = value
        with pytest.raises(ImageError, match=r"must lie in \[0, 1\].*divide them"):
            read(pixels)

    def test_floats_slightly_out_of_range_are_clipped(self) -> None:
        pixels = np.zeros((20, 30))
        pixels[0, :2] = -0.0009, 1.0009
        grey = read(pixels).grey
        assert grey.min() == 0
        assert grey.max() == 1

    @pytest.mark.parametrize("shape", [(0, 0), (0, 30), (1, 1), (15, 30), (30, 15), (20, 0, 3)])
    def test_images_too_small_for_the_network_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ImageError, match=rf"is {shape[0]}x{shape[1]} pixels .* too small"):
            read(np.zeros(shape, np.float32))


def test_pictures_of_sixteen_bits_and_floats_are_rounded_to_eight() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    nearest = np.rint(every / 257)  # 65535 / 255; no value lies between two
    for source in (every, np.stack([every] * 3, axis=2)):
        np.testing.assert_array_equal(grey_and_rgb(source)[1], np.stack([nearest] * 3, axis=2))
    floats = (every / 65535).astype(np.float32)
    np.testing.assert_array_equal(grey_and_rgb(floats)[1][..., 0], nearest)
