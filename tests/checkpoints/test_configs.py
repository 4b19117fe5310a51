from __future__ import annotations

import logging

import pytest
import transformers

from cyano.checkpoints.configs import superglue_from_dict, superglue_to_dict, superpoint_from_dict, superpoint_to_dict
from cyano.errors import InputError
from cyano.models.superglue import SuperGlueConfig
from cyano.models.superpoint import SuperPointConfig


def test_defaults_are_those_of_transformers() -> None:
    ours = superglue_to_dict(SuperGlueConfig(), SuperPointConfig())
    theirs = transformers.SuperGlueConfig().to_dict()
    nested = theirs.pop("keypoint_detector_config")
    for key, value in ours.pop("keypoint_detector_config").items():
        assert list(nested[key]) == value if isinstance(value, list) else nested[key] == value
    assert {key: theirs[key] for key in ours} == ours


def test_what_transformers_writes_is_read() -> None:
    config = transformers.SuperGlueConfig(hidden_size=64, gnn_layers_types=["cross"], matching_threshold=0.25)
    read = superglue_from_dict(config.to_dict())
    assert read == SuperGlueConfig(hidden_size=64, gnn_layers_types=("cross",), matching_threshold=0.25)
    detector = transformers.SuperPointConfig(nms_radius=3, encoder_hidden_sizes=[8, 8, 16, 16])
    assert superpoint_from_dict(detector.to_dict()) == SuperPointConfig((8, 8, 16, 16), nms_radius=3)


def test_what_we_write_is_accepted_by_transformers() -> None:
    # Whole numbers in float fields are refused there, so they have to be written as floats.
    written = superglue_to_dict(SuperGlueConfig(matching_threshold=0), SuperPointConfig(keypoint_threshold=0))
    config = transformers.SuperGlueConfig(**written)
    assert config.matching_threshold == 0.0
    assert config.keypoint_detector_config.keypoint_threshold == 0.0


def test_missing_and_null_keys_take_defaults() -> None:
    assert superglue_from_dict({}) == SuperGlueConfig()
    assert superglue_from_dict({"gnn_layers_types": None, "keypoint_encoder_sizes": None}) == SuperGlueConfig()
    assert superpoint_from_dict({"torch_dtype": "float32", "_name_or_path": "x"}) == SuperPointConfig()


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("matching_treshold", "matching_threshold"),
        ("gnn_layer_types", "gnn_layers_types"),
        ("hiden_size", "hidden_size"),
    ],
)
def test_a_misspelt_key_names_its_neighbour(key: str, near: str) -> None:
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        superglue_from_dict({key: 1})


def test_a_foreign_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert superpoint_from_dict({"colour_of_the_sky": "blue"}) == SuperPointConfig()
    assert "colour_of_the_sky" in caplog.text


def test_names_from_before_the_first_release() -> None:
    assert superglue_from_dict({"descriptor_dim": 64, "num_heads": 2}) == SuperGlueConfig(64, num_attention_heads=2)
    assert superglue_from_dict({"descriptor_dim": 64, "hidden_size": 64}).hidden_size == 64
    with pytest.raises(InputError, match="contradict each other"):
        superglue_from_dict({"descriptor_dim": 64, "hidden_size": 128})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", 256.0),
        ("hidden_size", True),
        ("hidden_size", 0),
        ("hidden_size", "256"),
        ("matching_threshold", "0.2"),
        ("matching_threshold", True),
        ("matching_threshold", float("nan")),
        ("gnn_layers_types", ["self", "other"]),
        ("gnn_layers_types", "self"),
        ("keypoint_encoder_sizes", [32, 0]),
        ("keypoint_encoder_sizes", [32.0]),
        ("sinkhorn_iterations", -1),
        ("num_attention_heads", 3),
        ("input_size", -1),
        ("keypoint_extras", 1.0),
        ("is_decoder", 1),
    ],
)
def test_unusable_matcher_values(key: str, value: object) -> None:
    with pytest.raises(InputError, match=key):
        superglue_from_dict({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder_hidden_sizes", [64, 64]),
        ("encoder_hidden_sizes", [64, 64, 128, -1]),
        ("keypoint_decoder_dim", 64),
        ("nms_radius", -1),
        ("max_keypoints", 1.5),
        ("border_removal_distance", -1),
    ],
)
def test_unusable_detector_values(key: str, value: object) -> None:
    with pytest.raises(InputError, match=key):
        superpoint_from_dict({key: value})


def test_sizes_of_other_features_are_ours_alone_and_written_only_where_they_differ() -> None:
    plain = superglue_to_dict(SuperGlueConfig(), SuperPointConfig())
    assert not {"input_size", "keypoint_extras"} & set(plain)
    config = SuperGlueConfig(input_size=128, keypoint_extras=3)
    written = superglue_to_dict(config, None)
    assert "keypoint_detector_config" not in written
    assert superglue_from_dict(written) == config
    with pytest.raises(InputError, match="did you mean 'keypoint_extras'"):
        superglue_from_dict({"keypoint_extra": 3})


def test_the_rule_for_places_is_ours_alone_and_written_only_where_it_differs() -> None:
    assert "keypoint_localisation" not in superpoint_to_dict(SuperPointConfig())
    written = superpoint_to_dict(SuperPointConfig(keypoint_localisation="structure"))
    assert superpoint_from_dict(written).keypoint_localisation == "structure"
    with pytest.raises(InputError, match="must be 'probability' or 'structure'"):
        superpoint_from_dict({"keypoint_localisation": "edges"})
    assert transformers.SuperPointConfig(**written).nms_radius == 4
