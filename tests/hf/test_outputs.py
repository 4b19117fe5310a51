from __future__ import annotations

import copy
import pickle

import pytest
import torch

from cyano.hf import BatchFeature, SuperGlueKeypointMatchingOutput


def test_outputs_leave_out_what_is_not_there() -> None:
    output = SuperGlueKeypointMatchingOutput(
        matches=torch.tensor([1]), mask=torch.tensor([2]), network_sizes=torch.tensor([3])
    )
    assert list(output) == list(output.keys()) == ["matches", "mask"]
    assert output[0] is output["matches"] is output.matches
    assert output[:2] == output.to_tuple() == tuple(output.values())
    assert dict(output.items()).keys() == {"matches", "mask"}
    assert len(output) == 2
    assert "loss" not in output
    assert output.get("loss", 5) == 5
    with pytest.raises(KeyError):
        output["loss"]


def test_a_batch_is_a_dictionary_with_attributes() -> None:
    batch = BatchFeature({"pixel_values": torch.ones(2), "ids": torch.tensor([1]), "names": ["a"]})
    assert batch.pixel_values is batch["pixel_values"]
    assert {**batch}.keys() == {"pixel_values", "ids", "names"}
    assert batch.to("cpu", torch.float16) is batch  # in place, as in transformers
    assert batch.pixel_values.dtype == torch.float16
    assert batch.ids.dtype == torch.int64
    assert batch.names == ["a"]
    batch["list"] = [torch.ones(1), "b"]
    assert batch.to(device="cpu", dtype=torch.float64, non_blocking=True)["list"][0].dtype == torch.float64
    assert batch.to(torch.float32).pixel_values.dtype == torch.float32
    with pytest.raises(AttributeError, match="there is pixel_values"):
        _ = batch.pixels
    assert copy.deepcopy(batch).names == pickle.loads(pickle.dumps(batch)).names == ["a"]


def test_outputs_are_changed_as_mappings_and_as_objects() -> None:
    output = SuperGlueKeypointMatchingOutput(matches=1, mask=2, network_sizes=3)
    output["loss"] = 0
    assert list(output.items()) == [("loss", 0), ("matches", 1), ("mask", 2)]
    assert output.loss == output[0] == 0
    assert output.pop("loss") == 0
    assert output.loss is None
    output.update(matching_scores=4)
    output["more"] = 5
    assert {**output} == {"matches": 1, "matching_scores": 4, "mask": 2, "more": 5}
    assert output.to_tuple() == (1, 4, 2, 5)
    del output["more"]
    with pytest.raises(KeyError):
        del output["more"]
    for copied in (copy.deepcopy(output), pickle.loads(pickle.dumps(output))):
        assert type(copied) is SuperGlueKeypointMatchingOutput
        assert (list(copied), copied.network_sizes) == (["matches", "matching_scores", "mask"], 3)
