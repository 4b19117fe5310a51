"""Stand-ins for programs that adapters are for, with the part of their interface that the adapters use.

They are written from the programs' public interfaces, for machines on which the programs are not installed.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_hloc", "write_vismatch"]

_HLOC = {
    "__init__.py": "",
    "extractors/__init__.py": "",
    "matchers/__init__.py": "",
    "utils/__init__.py": "",
    "extract_features.py": "confs = {'disk': {}}\n",
    "match_features.py": "confs = {'NN': {}}\n",
    "utils/base_model.py": """
import inspect
from abc import ABC, abstractmethod
from importlib import import_module
from torch import nn

class BaseModel(nn.Module, ABC):
    default_conf = {}
    required_inputs = []

    def __init__(self, conf):
        super().__init__()
        self.conf = {**self.default_conf, **conf}
        self._init(self.conf)

    def forward(self, data):
        assert all(key in data for key in self.required_inputs)
        return self._forward(data)

    @abstractmethod
    def _init(self, conf): ...

    @abstractmethod
    def _forward(self, data): ...

def dynamic_load(root, model):
    path = f"{root.__name__}.{model}"
    module = __import__(path, fromlist=[""])
    own = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == path]
    assert len(own) == 1 and issubclass(own[0], BaseModel)
    return own[0]
""",
}

_VISMATCH = {
    "__init__.py": """
import torch

class BaseMatcher(torch.nn.Module):
    def __init__(self, device="cpu", **kwargs):
        super().__init__()
        self.device = device

    def forward(self, img0, img1):
        names = ("matched_kpts0", "matched_kpts1", "all_kpts0", "all_kpts1", "all_desc0", "all_desc1")
        found = self._forward(img0, img1)
        assert len(found) == 7
        return dict(zip((*names, "matched_confidences"), found))

available_models = ["sift-nn"]

def get_matcher(matcher_name="sift-lightglue", device="cpu", max_num_keypoints=2048, *args, **kwargs):
    return f"vismatch's own {matcher_name}"
""",
}


def write_hloc(folder: Path) -> None:
    """A package `hloc` in the folder."""
    _write(folder / "hloc", _HLOC)


def write_vismatch(folder: Path) -> None:
    """A package `vismatch` in the folder."""
    _write(folder / "vismatch", _VISMATCH)


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
