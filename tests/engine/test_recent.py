"""Images in memory: the last ones, up to a number of bytes."""

from __future__ import annotations

import torch

from cyano.engine.recent import RecentImages


def test_the_last_ones_stay_within_the_budget() -> None:
    read: list[str] = []

    def make(name: str) -> torch.Tensor:
        read.append(name)
        return torch.full((int(name), 4), float(name))  # 16 bytes a row

    recent = RecentImages(make, 16 * 5)
    for name in "2", "3", "2":
        assert recent(name)[0, 0] == float(name)
    assert read == ["2", "3"]
    recent("1")  # 3 was used longest ago
    recent("2")
    assert read == ["2", "3", "1"]
    recent("3")
    assert read == ["2", "3", "1", "3"]
    assert recent("9").shape == (9, 4)  # larger than all that may be kept
    recent("3")
    assert read == ["2", "3", "1", "3", "9", "3"]
