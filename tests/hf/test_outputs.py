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
    half = batch.to("cpu", torch.float16)
    assert half.pixel_values.dtype == batch.to(torch.float16).pixel_values.dtype == torch.float16
    assert half.ids.dtype == torch.int64
    assert half.names == ["a"]
    assert batch.pixel_values.dtype == torch.float32  # the original is as it was
    with pytest.raises(AttributeError, match="there is pixel_values"):
        _ = batch.pixels
    assert copy.deepcopy(batch).names == pickle.loads(pickle.dumps(batch)).names == ["a"]
