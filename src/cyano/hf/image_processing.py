"""Image processors that look like transformers': images to `pixel_values`, outputs to matches in pixels.

`pixel_values` are those of transformers' Pillow processors. What comes back is right by default: positions in
original pixels with fractions, where pixel centres map to pixel centres. `transformers_exact=True` gives
transformers' numbers, cut to whole pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from PIL import Image
from torch import Tensor

from cyano.errors import InputError
from cyano.hf.arguments import batch, checked_outputs, pairs_of, singles_of, sizes_of
from cyano.hf.drawing import side_by_side
from cyano.hf.image_processor import ImageProcessor
from cyano.hf.outputs import (
    BatchFeature,
    DetectionOutput,
    MatchingOutput,
    SuperGlueKeypointMatchingOutput,
    SuperPointKeypointDescriptionOutput,
)
from cyano.hf.pixels import as_array

__all__ = ["SuperGlueImageProcessor", "SuperPointImageProcessor"]


@dataclass(kw_only=True)
class SuperGlueImageProcessor(ImageProcessor):
    """Pairs of images to `pixel_values` (B, 2, C, H, W), and outputs to matches in pixels.

    The settings are those of transformers' SuperGlueImageProcessor.

    Example:
        >>> processor = cyano.SuperGlueImageProcessor(size={"height": 240, "width": 320})
        >>> inputs = processor([["a.jpg", "b.jpg"]], return_tensors="pt")  # as processor.preprocess(...)
        >>> inputs["pixel_values"].shape
        torch.Size([1, 2, 3, 240, 320])
        >>> with torch.no_grad():
        ...     outputs = cyano.AutoModel.from_pretrained()(**inputs)
        >>> found = processor.post_process_keypoint_matching(outputs, [((240, 320), (230, 300))], threshold=0.2)
        >>> (picture,) = processor.visualize_keypoint_matching([["a.jpg", "b.jpg"]], found)
    """

    processor_type: ClassVar[str] = "SuperGlueImageProcessor"

    def __call__(self, images: Any, return_tensors: str | None = None, **overrides: Any) -> BatchFeature:
        """The same as `preprocess`."""
        return self.preprocess(images, return_tensors=return_tensors, **overrides)

    def preprocess(self, images: Any, return_tensors: str | None = None, **overrides: Any) -> BatchFeature:
        """Prepare pairs of images for the model.

        Args:
            images: one pair, or a list of pairs. An image is Pillow's, a file's path, an array or a tensor
                (H, W), (C, H, W) or (H, W, C) in [0, 255]; floats in [0, 1] are taken as they are.
            return_tensors: "pt", "np", or None for lists of arrays.
            **overrides: settings to change for this call; and `input_data_format`, `data_format` and `device`, see
                `cyano.hf.arguments.Layout`.

        Returns:
            `pixel_values`: (B, 2, C, H, W) float32 in [0, 1]; C is 3, or 1 if all images have one channel.

        Raises:
            InputError: these are not pairs of images, images of one batch get different sizes, or a setting
                cannot have that value.
            TypeError: a setting is not known.
        """
        flat, device = self._prepared_all([image for pair in pairs_of(images) for image in pair], overrides)
        return batch([flat[i : i + 2] for i in range(0, len(flat), 2)], flat, return_tensors, device)

    def post_process_keypoint_matching(
        self, outputs: MatchingOutput, target_sizes: Tensor | Sequence[Any], threshold: float = 0.0
    ) -> list[dict[str, Tensor]]:
        """Turn a matcher's output into the matched positions of each pair.

        Args:
            outputs: the matcher's output for B pairs.
            target_sizes: ((height, width), (height, width)) of the B pairs' original images, or (B, 2, 2).
            threshold: leave out matches with a score of at most this.

        Returns:
            For each pair `keypoints0` and `keypoints1`, both (M, 2) float32 (x, y) in original pixels, where
            row i of one matches row i of the other, and `matching_scores` (M,) float32. With
            `transformers_exact`, the keypoints are int32, cut off rather than rounded.

        Raises:
            InputError: the sizes do not fit the outputs.
        """
        checked_outputs(outputs, ("matches", "matching_scores", "keypoints", "mask"), threshold)
        sizes = sizes_of(target_sizes, (len(outputs.mask), 2, 2))
        network = outputs.network_sizes if isinstance(outputs, SuperGlueKeypointMatchingOutput) else None
        positions = self.original_positions(
            outputs.keypoints.flatten(0, 1),
            sizes.flatten(0, 1),
            None if network is None else network.flatten(0, 1),
        )
        results = []
        for i, mask in enumerate(outputs.mask > 0):
            keypoints0, keypoints1 = positions[2 * i][mask[0]], positions[2 * i + 1][mask[1]]
            partner, scores = outputs.matches[i, 0][mask[0]], outputs.matching_scores[i, 0][mask[0]]
            good = (scores > threshold) & (partner >= 0) & (partner < len(keypoints1))
            results.append(
                {
                    "keypoints0": keypoints0[good],
                    "keypoints1": keypoints1[partner[good].long()],
                    "matching_scores": scores[good],
                }
            )
        return results

    def visualize_keypoint_matching(
        self, images: Any, keypoint_matching_output: Sequence[Mapping[str, Tensor]]
    ) -> list[Image.Image]:
        """Draw each pair side by side with its matches, from red (score 0) to green (score 1).

        Args:
            images: the original images, as for `preprocess`.
            keypoint_matching_output: from `post_process_keypoint_matching`.

        Raises:
            InputError: these are not pairs of images, or not as many as there are results.
        """
        pairs = pairs_of(images)
        if len(pairs) != len(keypoint_matching_output):
            raise InputError(f"there are {len(pairs)} pairs of images but {len(keypoint_matching_output)} results")
        return [
            side_by_side(as_array(first), as_array(second), output)
            for (first, second), output in zip(pairs, keypoint_matching_output, strict=True)
        ]


@dataclass(kw_only=True)
class SuperPointImageProcessor(ImageProcessor):
    """Images to `pixel_values` (B, C, H, W), and outputs to keypoints in pixels.

    The settings are those of transformers' SuperPointImageProcessor. Colour is kept by default, of which the
    model reads the red channel; `do_grayscale=True` gives the pixels that a matcher's processor gives.

    Example:
        >>> processor = cyano.SuperPointImageProcessor(size={"height": 240, "width": 320})
        >>> inputs = processor(["a.jpg"], return_tensors="pt")  # as processor.preprocess(...)
        >>> inputs["pixel_values"].shape
        torch.Size([1, 3, 240, 320])
        >>> with torch.no_grad():
        ...     outputs = cyano.AutoModelForKeypointDetection.from_pretrained()(**inputs)
        >>> processor.post_process_keypoint_detection(outputs, [(240, 320)])[0]["keypoints"].shape[1]
        2
    """

    processor_type: ClassVar[str] = "SuperPointImageProcessor"

    do_grayscale: bool = False

    def __call__(self, images: Any, return_tensors: str | None = None, **overrides: Any) -> BatchFeature:
        """The same as `preprocess`."""
        return self.preprocess(images, return_tensors=return_tensors, **overrides)

    def preprocess(self, images: Any, return_tensors: str | None = None, **overrides: Any) -> BatchFeature:
        """Prepare images for the model.

        Args:
            images: one image, a list of images, or an array or tensor (B, C, H, W) or (B, H, W, C); see
                `SuperGlueImageProcessor.preprocess` for what an image is.
            return_tensors: "pt", "np", or None for a list of arrays.
            **overrides: settings to change for this call; and `input_data_format`, `data_format` and `device`, see
                `cyano.hf.arguments.Layout`.

        Returns:
            `pixel_values`: (B, C, H, W) float32 in [0, 1]; C is 3, or 1 if all images have one channel.

        Raises:
            InputError: these are not images, images of one batch get different sizes, or a setting cannot have
                that value.
            TypeError: a setting is not known.
        """
        flat, device = self._prepared_all(singles_of(images), overrides)
        return batch(flat, flat, return_tensors, device)

    def post_process_keypoint_detection(
        self, outputs: DetectionOutput, target_sizes: Tensor | Sequence[Any]
    ) -> list[dict[str, Tensor]]:
        """Turn a detector's output into the keypoints of each image.

        Args:
            outputs: the detector's output for B images.
            target_sizes: (height, width) of the B original images, or (B, 2).

        Returns:
            For each image `keypoints` (N, 2) float32 (x, y) in original pixels (int32, cut off, with
            `transformers_exact`), `scores` (N,) and `descriptors` (N, D).

        Raises:
            InputError: the sizes do not fit the outputs.
        """
        checked_outputs(outputs, ("keypoints", "scores", "descriptors", "mask"))
        sizes = sizes_of(target_sizes, (len(outputs.mask), 2))
        network = outputs.network_sizes if isinstance(outputs, SuperPointKeypointDescriptionOutput) else None
        positions = self.original_positions(outputs.keypoints, sizes, network)
        return [
            {
                "keypoints": positions[i][real],
                "scores": outputs.scores[i][real],
                "descriptors": outputs.descriptors[i][real],
            }
            for i, real in enumerate(outputs.mask > 0)
        ]
