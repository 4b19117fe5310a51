from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cyano.errors import InputError
from cyano.types import Features, ImageSize, Matches, ResizeMap

TURNS = range(4)


def maps(longest: int) -> st.SearchStrategy[ResizeMap]:
    sides = st.integers(16, longest)
    sizes = st.builds(ImageSize, sides, sides)
    return st.builds(ResizeMap, sizes, sizes, st.integers(-4, 7))


def points_in(size: ImageSize, seed: int, count: int = 50) -> np.ndarray:
    """(N, 2) float64 points from the first pixel's centre to the last one's, the corners among them."""
    last = np.array([size.width - 1, size.height - 1], dtype=np.float64)
    inside = np.random.default_rng(seed).random((count, 2)) * last
    return np.vstack([inside, [[0, 0], last, [0, last[1]], [last[0], 0]]])


class TestImageSize:
    @pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (-1, 5)])
    def test_refuses_sizes_without_pixels(self, height: int, width: int) -> None:
        with pytest.raises(InputError, match=f"not {height}x{width}"):
            ImageSize(height, width)

    def test_longest_side(self) -> None:
        assert ImageSize(3, 7).longest == ImageSize(7, 3).longest == 7

    @pytest.mark.parametrize("turns", range(-4, 6))
    def test_turned_is_the_shape_after_rot90(self, turns: int) -> None:
        turned = ImageSize(3, 7).turned(turns)
        assert (turned.height, turned.width) == np.rot90(np.zeros((3, 7)), turns).shape

    def test_is_a_value(self) -> None:
        assert {ImageSize(3, 7), ImageSize(3, 7)} == {ImageSize(height=3, width=7)}
        with pytest.raises(dataclasses.FrozenInstanceError):
            ImageSize(3, 7).height = 4  # type: ignore[misc]


class TestResizeMap:
    @settings(deadline=None)
    @given(maps(10_000), st.integers(0, 2**32 - 1))
    def test_round_trip_in_float64(self, frame: ResizeMap, seed: int) -> None:
        points = points_in(frame.original, seed)
        # A few roundings of numbers up to 1e4, each of relative size 1e-16, enlarged by at most 1e4 / 16.
        np.testing.assert_allclose(frame.to_original(frame.to_network(points)), points, atol=1e-8, rtol=0)

    @settings(deadline=None)
    @given(maps(6_000), st.integers(0, 2**32 - 1))
    def test_round_trip_in_float32(self, frame: ResizeMap, seed: int) -> None:
        points = points_in(frame.original, seed).astype(np.float32)
        there = frame.to_network(points)
        back = frame.to_original(there)
        assert there.dtype == back.dtype == np.float32
        # Float32 numbers lie 0.0005 apart here. Turning and dividing round by half of that, multiplying by at
        # most 6000 * 2**-24: together 0.00085.
        assert np.abs(back.astype(np.float64) - points).max() < 1e-3

    @settings(deadline=None)
    @given(maps(10_000), st.integers(0, 2**32 - 1))
    def test_round_trip_in_float32_on_very_large_images(self, frame: ResizeMap, seed: int) -> None:
        points = points_in(frame.original, seed).astype(np.float32)
        back = frame.to_original(frame.to_network(points))
        # Above 8192 float32 numbers lie 0.001 apart, so that the roundings alone pass 0.001.
        assert np.abs(back.astype(np.float64) - points).max() < 2e-3

    @settings(deadline=None)
    @given(maps(6_000), st.integers(0, 2**32 - 1))
    def test_torch_agrees_with_numpy(self, frame: ResizeMap, seed: int) -> None:
        points = points_in(frame.original, seed).astype(np.float32)
        tensor = torch.from_numpy(points)
        there, back = frame.to_network(tensor), frame.to_original(tensor)
        assert there.dtype == back.dtype == torch.float32
        # The same operations in the same precision; the libraries may keep the scale in another one.
        np.testing.assert_allclose(there.numpy(), frame.to_network(points), rtol=3e-7, atol=1e-5)
        np.testing.assert_allclose(back.numpy(), frame.to_original(points), rtol=3e-7, atol=1e-5)

    @pytest.mark.parametrize("turns", range(-1, 5))
    def test_turns_move_a_bright_pixel_as_rot90_does(self, turns: int) -> None:
        frame = ResizeMap(ImageSize(5, 8), ImageSize(5, 8).turned(turns), turns)
        for y, x in np.ndindex(5, 8):
            image = np.zeros((5, 8))
            image[y, x] = 1
            row, column = np.argwhere(np.rot90(image, turns))[0]
            np.testing.assert_array_equal(frame.to_network(np.array([x, y], float)), [column, row])
            np.testing.assert_array_equal(frame.to_original(np.array([column, row], float)), [x, y])

    @pytest.mark.parametrize("turns", TURNS)
    def test_outer_edges_map_to_outer_edges(self, turns: int) -> None:
        frame = ResizeMap(ImageSize(480, 640), ImageSize(100, 90), turns)
        edges = np.array([[-0.5, -0.5], [639.5, 479.5]])  # half a pixel beyond the outer pixels' centres
        expected = np.array([[-0.5, -0.5], [89.5, 99.5]])
        mapped = frame.to_network(edges)
        np.testing.assert_allclose(np.sort(mapped, axis=0), expected, atol=1e-9)

    def test_halving_maps_between_pixel_centres(self) -> None:
        frame = ResizeMap(ImageSize(4, 8), ImageSize(2, 4))
        # Network pixel 0 covers the original pixels 0 and 1, whose common centre is 0.5.
        np.testing.assert_array_equal(frame.to_network(np.array([[0.5, 0.5], [2.5, 2.5]])), [[0, 0], [1, 1]])

    def test_each_axis_has_its_scale(self) -> None:
        assert ResizeMap(ImageSize(100, 200), ImageSize(50, 20)).scale == (0.1, 0.5)
        assert ResizeMap(ImageSize(100, 200), ImageSize(50, 20), 1).scale == (0.2, 0.25)

    def test_identity_moves_nothing(self) -> None:
        frame = ResizeMap.identity(ImageSize(30, 40))
        points = points_in(frame.original, 0)
        np.testing.assert_allclose(frame.to_network(points), points, atol=1e-13)

    @pytest.mark.parametrize("shape", [(0, 2), (2,), (3, 4, 2), (1, 0, 2)])
    def test_any_rank_and_no_points(self, shape: tuple[int, ...]) -> None:
        frame = ResizeMap(ImageSize(30, 40), ImageSize(20, 15), 1)
        assert frame.to_network(np.zeros(shape, np.float32)).shape == shape
        assert frame.to_original(torch.zeros(shape)).shape == shape

    def test_arguments_are_not_modified(self) -> None:
        frame = ResizeMap(ImageSize(30, 40), ImageSize(20, 15), 1)
        array, tensor = np.ones((3, 2)), torch.ones(3, 2)
        frame.to_network(array), frame.to_original(array), frame.to_network(tensor), frame.to_original(tensor)
        assert (array == 1).all()
        assert (tensor == 1).all()


class TestFeatures:
    frame = ResizeMap(ImageSize(30, 40), ImageSize(15, 20))

    def test_length_and_network_keypoints(self) -> None:
        features = Features(torch.tensor([[0.5, 0.5]]), torch.ones(1), torch.ones(1, 4), self.frame)
        assert len(features) == 1
        assert features.network_keypoints.tolist() == [[0, 0]]
        assert features.to("cpu").frame == self.frame

    def test_may_be_empty(self) -> None:
        features = Features(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0, 128), self.frame)
        assert len(features) == 0
        assert features.network_keypoints.shape == (0, 2)

    @pytest.mark.parametrize(
        ("keypoints", "scores", "descriptors"),
        [
            ((5, 3), (5,), (5, 8)),
            ((5, 2), (4,), (5, 8)),
            ((5, 2), (5, 1), (5, 8)),
            ((5, 2), (5,), (8, 5)),
            ((5, 2), (5,), (5,)),
            ((1, 5, 2), (1, 5), (1, 5, 8)),
        ],
    )
    def test_refuses_shapes_that_do_not_fit(self, keypoints: tuple, scores: tuple, descriptors: tuple) -> None:
        with pytest.raises(InputError, match=r"keypoints \(N, 2\)"):
            Features(torch.zeros(keypoints), torch.zeros(scores), torch.zeros(descriptors), self.frame)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64])
    def test_other_dtypes_are_converted(self, dtype: torch.dtype) -> None:
        keypoints = torch.tensor([[3, 4], [5, 6]]).to(dtype)
        features = Features(keypoints, torch.ones(2).to(dtype), torch.ones(2, 4).to(dtype), self.frame)
        assert {features.keypoints.dtype, features.scores.dtype, features.descriptors.dtype} == {torch.float32}
        assert features.keypoints.tolist() == [[3, 4], [5, 6]]

    @pytest.mark.parametrize("dtype", [">f8", np.float64, np.float16, np.int32])
    def test_arrays_are_converted(self, dtype: object) -> None:
        array = np.array([[3, 4], [5, 6]], dtype)[::-1]
        array.flags.writeable = False
        image = np.full((15, 20), 0.5)
        features = Features(array, array[:, 0], array, self.frame, array, image)  # type: ignore[arg-type]
        for tensor in (features.keypoints, features.descriptors, features.extras):
            assert tensor.dtype == torch.float32
            assert tensor.tolist() == [[5, 6], [3, 4]]
        assert features.image.dtype == torch.float16

    def test_half_keeps_descriptors_in_half_the_bytes(self) -> None:
        descriptors = torch.nn.functional.normalize(torch.rand(9, 4), dim=1)
        extras, image = torch.rand(9, 2), torch.rand(15, 20).half()
        features = Features(torch.rand(9, 2) * 20, torch.rand(9), descriptors, self.frame, extras, image)
        for half in (features.half(), features.half().half(), pickle.loads(pickle.dumps(features.half()))):
            assert half.descriptors.dtype == torch.float16
            assert torch.equal(half.descriptors, descriptors.half())
            assert features.descriptors is descriptors
            again = half.to("cpu")
            assert again.descriptors.dtype == torch.float32
            assert torch.equal(again.descriptors, descriptors.half().float())
            assert again.frame == self.frame
            for name in ("keypoints", "scores", "extras", "image"):
                assert torch.equal(getattr(half, name), getattr(features, name))

    @pytest.mark.parametrize("bad", ["words", None, [[1, 2], [3]], np.array([[1j, 2]]), torch.ones(1, 2).bool()])
    def test_what_is_no_numbers_is_refused(self, bad: object) -> None:
        with pytest.raises(InputError, match="keypoints of features must be"):
            Features(bad, torch.ones(1), torch.ones(1, 4), self.frame)  # type: ignore[arg-type]

    def test_parts_that_do_not_fit_are_refused(self) -> None:
        good = (torch.ones(1, 2), torch.ones(1), torch.ones(1, 4))
        with pytest.raises(InputError, match="ResizeMap, not tuple"):
            Features(*good, (30, 40))  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"floats in \[0, 1\], not torch.uint8"):
            Features(*good, self.frame, image=torch.ones(15, 20, dtype=torch.uint8))
        for shape in ((1, 15, 20), (20, 15), (30, 40)):
            with pytest.raises(InputError, match=r"must be \(15, 20\), the size in their frame, not "):
                Features(*good, self.frame, image=torch.ones(shape))

    def test_what_holds_no_finite_numbers_is_refused(self) -> None:
        good = {"keypoints": torch.ones(2, 2), "scores": torch.ones(2), "descriptors": torch.ones(2, 4)}
        for name, values in good.items():
            for bad in (float("nan"), float("inf"), 1e300):  # float32 ends at 3e38
                spoilt = values.double().clone()
                spoilt[1] = bad
                with pytest.raises(InputError, match=f"{name} of features must be finite"):
                    Features(**{**good, name: spoilt}, frame=self.frame)
            for strange in (values.to("meta"), values.to_sparse()):
                with pytest.raises(InputError, match=f"{name} of features must be an ordinary tensor"):
                    Features(**{**good, name: strange}, frame=self.frame)
        with pytest.raises(InputError, match="image of features must be finite"):
            Features(**good, frame=self.frame, image=torch.full((15, 20), float("nan")))

    @pytest.mark.parametrize("device", ["nosuch", "meta"])
    def test_a_device_that_cannot_be_used_is_refused(self, device: str) -> None:
        features = Features(torch.ones(1, 2), torch.ones(1), torch.ones(1, 4), self.frame)
        with pytest.raises(InputError, match="cannot be used"):
            features.to(device)


class TestMatches:
    @staticmethod
    def of(matches0: list[int], matches1: list[int]) -> Matches:
        sides = np.array(matches0, np.int64), np.array(matches1, np.int64)
        return Matches(*sides, *(np.where(side >= 0, 0.5, 0).astype(np.float32) for side in sides))

    def test_what_is_dropped_but_not_matched_changes_nothing(self) -> None:
        """Keypoint 0 of image 0 has no match; the last keypoint of image 1 keeps its own."""
        kept, others = self.of([0, -1], [0, -1]), self.of([-1, 1], [-1, 1])
        both = kept.joined(others.beyond(kept))
        assert (both.matches0.tolist(), both.matches1.tolist()) == ([0, 1], [0, 1])
        assert both.scores1.tolist() == [0.5, 0.5]

    def test_an_image_without_keypoints_has_nothing_to_drop(self) -> None:
        assert self.of([-1, -1], []).without(np.array([0, 1])).count == 0

    def test_a_match_has_to_be_above_the_threshold(self) -> None:
        matches = self.of([1, 0, -1], [1, 0])
        matches.scores0[0] = matches.scores1[1] = 0.7
        above = matches.above(0.5)
        assert (above.matches0.tolist(), above.matches1.tolist()) == ([1, -1, -1], [-1, 0])
