"""Who has changed a network gets the modules that they have made of it, and not its fast form."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from cyano.errors import WeightsError
from cyano.models.as_built import for_inference, is_as_built
from cyano.models.superglue import SuperGlue
from support.networks import random_keypoints, random_superglue, random_superpoint


def _instance_forward(model: SuperGlue) -> None:
    """As accelerate's offloading has it."""
    layer = model.gnn.layers[0].mlp[1]
    layer.forward = layer.forward


def _tensor_subclass(model: SuperGlue) -> None:
    class Wrapped(nn.Parameter):
        pass

    layer = model.gnn.layers[0].mlp[1]
    layer.weight = Wrapped(layer.weight.detach())


CHANGES: dict[str, Callable[[SuperGlue], object]] = {
    "forward hook": lambda m: m.gnn.layers[1].attention.register_forward_hook(lambda *_: None),
    "pre hook": lambda m: m.keypoint_encoder.register_forward_pre_hook(lambda *_: None),
    "replaced by another class": lambda m: setattr(m.gnn.layers[0].mlp, "1", nn.Sequential(nn.Linear(64, 32))),
    "replaced by nothing": lambda m: setattr(m.gnn.layers[0].mlp[0], "batch_norm", nn.Identity()),
    "replaced without bias": lambda m: setattr(m.final_projection, "final_proj", nn.Linear(32, 32, bias=False)),
    "other settings": lambda m: setattr(m.gnn.layers[0].mlp[0].batch_norm, "eps", 0.1),
    "added": lambda m: m.gnn.add_module("more", nn.Identity()),
    "parametrised": lambda m: parametrizations.weight_norm(m.final_projection.final_proj),
    "pruned": lambda m: prune.l1_unstructured(m.final_projection.final_proj, "weight", 0.5),
    "one part in training": lambda m: m.gnn.layers[0].mlp[0].batch_norm.train(),
    "own forward": _instance_forward,
    "other heads": lambda m: setattr(m.gnn.layers[0].attention, "heads", 2),
    "other kinds": lambda m: setattr(m.gnn, "kinds", ("self",) * 4),
    "a layer twice": lambda m: m.gnn.layers.insert(0, m.gnn.layers[-1]),
    "tensor subclass": _tensor_subclass,
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_seen(change: str) -> None:
    model = random_superglue()
    assert is_as_built(model)
    assert is_as_built(copy.deepcopy(model))
    CHANGES[change](model)
    assert not is_as_built(model)


def test_what_is_no_change() -> None:
    model, detector = random_superglue(), random_superpoint()
    with torch.no_grad():
        model.bin_score.fill_(3)
    model.final_projection.final_proj = nn.Linear(32, 32).eval()  # the same layer with other weights
    hook = detector.encoder.register_forward_hook(lambda *_: None)
    assert not is_as_built(detector)
    hook.remove()
    model.detector = detector  # a network within another one is judged for itself
    assert is_as_built(model)
    assert is_as_built(detector)


def test_another_forward_of_a_class_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_superglue()
    monkeypatch.setattr(type(model.gnn.layers[0].attention), "forward", lambda _, x, *__: x)
    assert not is_as_built(model)
    monkeypatch.undo()
    assert is_as_built(model)


def test_a_copy_for_inference_does_what_pruned_layers_do() -> None:
    model, sets = random_superglue().train(), (random_keypoints(20, seed=1), random_keypoints(30, seed=2))
    prune.l1_unstructured(model.final_projection.final_proj, "weight", 1.0)  # all similarities are those of the bias
    copied = for_inference(model, torch.device("cpu"))
    assert not copied.training
    assert model.training
    with torch.no_grad():
        expected = model.eval()(*sets)
        assert torch.equal(copied(*sets), expected)
        model.bin_score.fill_(1000.0)
        assert torch.equal(copied(*sets), expected)


def test_networks_without_values_are_refused() -> None:
    with pytest.raises(WeightsError, match="hold no values"):
        for_inference(random_superglue().to("meta"), torch.device("cpu"))


def test_hooks_on_all_modules_are_seen() -> None:
    model = random_superglue()
    hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert not is_as_built(model)
    hook.remove()
    assert is_as_built(model)
