from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from cyano import hf, weights
from cyano.checkpoints.magicleap import to_original
from cyano.errors import WeightsError
from support.random_weights import stereo_pair


def test_the_classes_of_a_matcher() -> None:
    assert isinstance(hf.AutoModel.from_pretrained(), hf.SuperGlueForKeypointMatching)
    assert isinstance(hf.AutoModelForKeypointMatching.from_pretrained(), hf.SuperGlueForKeypointMatching)
    assert isinstance(hf.AutoModelForKeypointDetection.from_pretrained(), hf.SuperPointForKeypointDetection)
    assert isinstance(hf.AutoImageProcessor.from_pretrained(), hf.SuperGlueImageProcessor)
    assert isinstance(hf.AutoConfig.from_pretrained(weights.default_folder()), hf.SuperGlueConfig)


def test_the_classes_of_a_detector(tmp_path: Path) -> None:
    hf.SuperPointForKeypointDetection.from_pretrained().save_pretrained(tmp_path)
    assert isinstance(hf.AutoModel.from_pretrained(tmp_path), hf.SuperPointForKeypointDetection)
    assert isinstance(hf.AutoImageProcessor.from_pretrained(tmp_path), hf.SuperPointImageProcessor)
    assert isinstance(hf.AutoConfig.from_pretrained(tmp_path), hf.SuperPointConfig)


def test_a_weight_file_stands_for_its_folder(tmp_path: Path) -> None:
    hf.SuperPointForKeypointDetection.from_pretrained().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    assert isinstance(hf.AutoModel.from_pretrained(file), hf.SuperPointForKeypointDetection)
    assert isinstance(hf.AutoImageProcessor.from_pretrained(file), hf.SuperPointImageProcessor)
    assert hf.AutoConfig.from_pretrained(file) == hf.AutoConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["SuperPointImageProcessorFast", "SuperPointImageProcessorPil", None])
def test_variants_of_processors(tmp_path: Path, name: str | None) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "superpoint"}')
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": name}))
    assert isinstance(hf.AutoImageProcessor.from_pretrained(tmp_path), hf.SuperPointImageProcessor)


def test_original_files(tmp_path: Path) -> None:
    model = hf.AutoModel.from_pretrained()
    superpoint, superglue = to_original(model.state_dict())
    torch.save(superpoint, tmp_path / "superpoint_v1.pth")
    torch.save(superglue, tmp_path / "superglue_indoor.pth")
    for path in (tmp_path, tmp_path / "superglue_indoor.pth"):
        loaded = hf.AutoModel.from_pretrained(path)
        assert torch.equal(loaded.state_dict()["bin_score"], model.state_dict()["bin_score"])
    detector = hf.AutoModel.from_pretrained(tmp_path / "superpoint_v1.pth")
    assert isinstance(detector, hf.SuperPointForKeypointDetection)
    assert isinstance(hf.AutoImageProcessor.from_pretrained(tmp_path), hf.SuperGlueImageProcessor)
    (tmp_path / "superglue_indoor.pth").unlink()
    assert isinstance(hf.AutoModel.from_pretrained(tmp_path), hf.SuperPointForKeypointDetection)


def test_other_models(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="'bert'"):
        hf.AutoModel.from_pretrained(tmp_path)


def test_every_transformers_name_of_these_models_is_here() -> None:
    names = [n for n in dir(transformers) if n.startswith(("SuperGlue", "SuperPoint"))]
    # The abstract base classes, and the variants of the processors by back end, have no use here.
    wanted = {n for n in names if not n.endswith(("PreTrainedModel", "Fast", "Pil"))}
    assert wanted <= set(hf.__all__)


def test_the_program_of_the_model_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' example, written for this test, with local images in place of downloads."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    images = list(stereo_pair(497, 741))
    processor = hf.AutoImageProcessor.from_pretrained(weights.default_folder())
    model = hf.AutoModel.from_pretrained(weights.default_folder())
    inputs = processor(images, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    image_sizes = [[(image.height, image.width) for image in images]]
    results = processor.post_process_keypoint_matching(outputs, image_sizes, threshold=0.2)
    assert len(results) == 1
    output = results[0]
    assert len(output["matching_scores"]) > 100
    lines = [
        f"{keypoint0.numpy()} {keypoint1.numpy()} {score}"
        for keypoint0, keypoint1, score in zip(
            output["keypoints0"], output["keypoints1"], output["matching_scores"], strict=True
        )
    ]
    assert lines[0].startswith("[")
    x = output["keypoints0"][:, 0].numpy()
    y = output["keypoints0"][:, 1].numpy()
    colour = plt.get_cmap("RdYlGn")(output["matching_scores"][0].item())
    plt.plot([x[0], x[1]], [y[0], y[1]], color=colour)
    plt.savefig("matched_image.png")
    plt.close()
    assert (tmp_path / "matched_image.png").stat().st_size > 0
    assert processor.visualize_keypoint_matching(images, results)[0].size == (1482, 497)
    # The views are rectified: true matches keep their row. Within 3 px of 497, chance would give about 1 %.
    rows = (output["keypoints0"][:, 1] - output["keypoints1"][:, 1]).abs()
    assert (rows < 3).float().mean() > 0.5


@pytest.mark.parametrize("auto", [hf.AutoModel, hf.AutoImageProcessor, hf.AutoConfig])
def test_a_name_on_the_hub_is_asked_for_once(auto: type, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot(name: str, **_: object) -> str:
        asked.append(name)
        return str(weights.default_folder())

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    auto.from_pretrained("owner/name", revision="v1")
    assert asked == ["owner/name"]
