"""Whether a network still is what its class builds; a fast form reads parameters, and computes the same only then."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks_of_all

from cyano.errors import WeightsError
from cyano.models import attention, superglue, superpoint
from cyano.models.superglue import SuperGlue, SuperGlueConfig
from cyano.models.superpoint import SuperPoint, SuperPointConfig

__all__ = ["for_inference", "is_as_built"]

_Network = TypeVar("_Network", SuperPoint, SuperGlue)

_Form = tuple[str, type[nn.Module], str]
"""A part's name, its class, and its settings as its `repr` shows them."""

_CLASSES = [each for own in (attention, superglue, superpoint) for each in vars(own).values() if isinstance(each, type)]
_FORWARDS = {
    each: each.forward
    for each in (*_CLASSES, nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.Sequential)
    if issubclass(each, nn.Module)
}
"""What the classes do when this is imported; a program may put something else there."""

_HOOKS_OF_ALL = tuple(f"_global_{each}_hooks" for each in ("forward", "forward_pre", "backward", "backward_pre"))
"""Where torch.nn.modules.module keeps hooks that are of all modules."""


def is_as_built(network: SuperPoint | SuperGlue, config: SuperPointConfig | SuperGlueConfig | None = None) -> bool:
    """Whether nobody has hooked into a network, or replaced, wrapped, quantised or parametrised a part of it.

    Args:
        network: in evaluation mode. Its own forward may be another one: who has the fast form run calls it already.
        config: what it was built from; None for `network.config`.
    """
    parts = list(_parts(network))
    return (
        not any(getattr(hooks_of_all, name) for name in _HOOKS_OF_ALL)
        and not any(_is_hooked(part) or part.training for name, part in parts if name)
        and all(each.forward is forward for each, forward in _FORWARDS.items())
        and all(type(tensor) in (nn.Parameter, Tensor) for _, part in parts for tensor in _tensors(part))
        and [_form(name, part) for name, part in parts if name] == _blueprint(config or network.config)
    )


def for_inference(network: _Network, device: torch.device) -> _Network:
    """A copy of a network on a device, in evaluation mode; the network itself stays as it is.

    Tensors that a program has computed from parameters, such as the weights of pruned layers, are copied with their
    values: torch copies only what was made by itself.

    Raises:
        WeightsError: the network lies on torch's meta device, which holds no values.
    """
    if any(tensor.is_meta for part in network.modules() for tensor in _tensors(part)):
        raise WeightsError("the networks lie on the device meta and hold no values; load weights into them first")
    held = (value for part in network.modules() for value in vars(part).values() if isinstance(value, Tensor))
    computed = {id(value): value.detach().clone() for value in held if not value.is_leaf}
    return deepcopy(network, computed).to(device).eval()


@cache
def _blueprint(config: SuperPointConfig | SuperGlueConfig) -> list[_Form]:
    """The forms of all parts; they take no memory."""
    with torch.device("meta"):
        network = SuperPoint(config) if isinstance(config, SuperPointConfig) else SuperGlue(config)
    return [_form(name, part) for name, part in _parts(network) if name]


def _parts(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network and all in it, but for another network, such as a matcher's detector."""
    inner = tuple(f"{name}." for name, part in network.named_children() if isinstance(part, SuperPoint | SuperGlue))
    named = network.named_modules(remove_duplicate=False)  # one part in two places is not as built
    return ((name, part) for name, part in named if not f"{name}.".startswith(inner or ("/",)))


def _form(name: str, part: nn.Module) -> _Form:
    return name, type(part), part.extra_repr()


def _is_hooked(part: nn.Module) -> bool:
    """Whether a call of a part does more than its class says; accelerate's offloading puts another `forward` there."""
    return bool(part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part))


def _tensors(part: nn.Module) -> Iterator[Tensor]:
    yield from part.parameters(recurse=False)
    yield from part.buffers(recurse=False)
