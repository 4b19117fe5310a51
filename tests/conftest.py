"""What all tests share: determinism, no network, and one browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch

from support.browser import CHROMIUM
from support.browser import browser as chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Nothing in the tests may reach for the network, whatever the machine allows.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process: Playwright cannot be started twice in one."""
    pytest.importorskip("fastapi", reason="the extra page brings the server")
    pytest.importorskip("playwright.sync_api", reason="Playwright, which drives the browser, is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; the package manager has it (apt-get install chromium)")
    with chromium() as started:
        yield started
