"""What all tests share: determinism, and as many threads as are wanted."""

from __future__ import annotations

import os

import pytest
import torch

# Nothing in the tests may reach for the network, whatever the machine allows.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
