from __future__ import annotations

import json
from pathlib import Path

import pytest
import transformers

from cyano.errors import InputError, WeightsError
from cyano.hf import SuperGlueConfig, SuperPointConfig


def test_defaults_are_those_of_transformers() -> None:
    ours, theirs = SuperGlueConfig().to_dict(), transformers.SuperGlueConfig().to_dict()
    nested, their_nested = ours.pop("keypoint_detector_config"), theirs.pop("keypoint_detector_config")
    assert isinstance(nested, dict)
    shared = {key for key in ours if key != "dtype"}
    assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}
    for key in set(nested) - {"dtype"}:
        same = nested[key] == their_nested[key] or nested[key] == list(their_nested[key])
        assert same, key


def test_transformers_reads_ours_and_we_read_theirs(tmp_path: Path) -> None:
    ours = SuperGlueConfig(hidden_size=64, num_attention_heads=2, matching_threshold=1, sinkhorn_iterations=5)
    ours.detector.nms_radius = 2
    ours.save_pretrained(tmp_path)
    theirs = transformers.SuperGlueConfig.from_pretrained(tmp_path)
    assert (theirs.hidden_size, theirs.matching_threshold, theirs.keypoint_detector_config.nms_radius) == (64, 1.0, 2)
    theirs.save_pretrained(tmp_path)
    again = SuperGlueConfig.from_pretrained(tmp_path)
    assert again.native() == ours.native()
    assert again.detector.native() == ours.detector.native()


def test_json_round_trip_keeps_foreign_attributes() -> None:
    config = SuperGlueConfig.from_dict({"id2label": {"0": "x"}, "my_note": 3})
    again = SuperGlueConfig.from_dict(json.loads(config.to_json_string()))
    assert again.to_dict() == config.to_dict()
    assert again.to_dict()["my_note"] == 3


def test_assignments_are_checked() -> None:
    config = SuperGlueConfig()
    config.matching_threshold = 1
    assert isinstance(config.matching_threshold, float)
    with pytest.raises(InputError, match="sinkhorn_iterations"):
        config.sinkhorn_iterations = 1.5  # type: ignore[assignment]
    with pytest.raises(InputError, match="did you mean 'matching_threshold'"):
        config.matching_treshold = 0.2  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="self"):
        SuperGlueConfig(gnn_layers_types=["self", "both"])
    with pytest.raises(InputError, match="multiple"):
        SuperGlueConfig(num_attention_heads=3)
    with pytest.raises(InputError, match="dtype"):
        SuperGlueConfig(dtype="int8")
    with pytest.raises(TypeError):
        SuperGlueConfig(64)  # type: ignore[misc]
    with pytest.raises(TypeError, match="unknown"):
        SuperGlueConfig(unknown=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", [SuperGlueConfig, SuperPointConfig])
def test_a_constructor_takes_what_a_configuration_holds(kind: type[SuperGlueConfig] | type[SuperPointConfig]) -> None:
    shipped = kind.from_pretrained()
    shipped.id2label = {0: "a"}  # type: ignore[union-attr]
    assert list(shipped)[:4] == ["output_hidden_states", "output_attentions", "return_dict", "dtype"]
    for content in (shipped.to_dict(), shipped.to_diff_dict()):
        again = kind(**content)  # type: ignore[arg-type]
        assert again == shipped
        assert again.to_dict() == shipped.to_dict()
    theirs = getattr(transformers, kind.__name__)(num_labels=3)
    assert kind(**theirs.to_dict()).native() == kind().native()
    assert kind(torch_dtype="float16").dtype == "float16"  # type: ignore[call-arg]
    assert kind(dtype=None).dtype == "float32"  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'bert'"):
        kind(model_type="bert")  # type: ignore[call-arg]


def test_the_detector_may_be_a_dictionary_or_nothing() -> None:
    assert SuperGlueConfig(keypoint_detector_config=None).detector == SuperPointConfig()
    assert SuperGlueConfig(keypoint_detector_config={"nms_radius": 7}).detector.nms_radius == 7
    with pytest.raises(InputError, match="'bert'"):
        SuperGlueConfig(keypoint_detector_config={"model_type": "bert"})
    with pytest.raises(InputError, match="SuperPointConfig"):
        SuperGlueConfig(keypoint_detector_config=3)  # type: ignore[arg-type]


def test_old_names_mean_what_they_mean_to_the_matcher() -> None:
    config = SuperGlueConfig.from_dict({"descriptor_dim": 64, "num_heads": 2})
    assert (config.hidden_size, config.num_attention_heads) == (64, 2)


def test_overrides_and_sources(tmp_path: Path) -> None:
    assert SuperGlueConfig.from_pretrained().matching_threshold == 0.2
    assert SuperGlueConfig.from_pretrained(matching_threshold=0.5).matching_threshold == 0.5
    assert SuperPointConfig.from_pretrained().max_keypoints == 1024  # the detector within the matcher's file
    with pytest.raises(InputError, match="no setting 'colour'"):
        SuperGlueConfig.from_pretrained(colour=1)
    with pytest.raises(WeightsError, match="there are no weights") as caught:
        SuperGlueConfig.from_pretrained(tmp_path / "none")
    assert isinstance(caught.value, OSError)  # what programs catch where transformers finds nothing
    assert SuperGlueConfig.from_dict({"torch_dtype": "float16"}).dtype == "float16"
    assert SuperGlueConfig.from_dict({"dtype": None}).dtype == "float32"
    with pytest.raises(InputError, match="not of a 'superglue'"):
        SuperGlueConfig.from_dict({"model_type": "superpoint"})
