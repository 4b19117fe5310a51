"""A varied pair is the same pair."""

import numpy as np
import torch
from torch import Tensor

from cyano.training.data.pair_variation import Pair, varied


def stored() -> Pair:
    """Twelve keypoints and sixteen; keypoint i of image 0 is 15 - i of image 1 for i < 8, else lonely or ignored."""
    matches0 = torch.tensor([15 - i for i in range(8)] + [-1, -1, -2, -1])
    matches1 = torch.full((16,), -1)
    matches1[matches0[:8]] = torch.arange(8)
    matches1[3] = -2
    sides = {}
    for side, (count, matches) in enumerate(((12, matches0), (16, matches1))):
        numbers = torch.arange(count).float()
        sides[f"positions{side}"] = torch.stack([numbers / 40, -numbers / 50], dim=1)
        sides[f"scores{side}"] = numbers + 100 * side
        sides[f"descriptors{side}"] = torch.nn.functional.one_hot(torch.arange(count), 16).float()
        sides[f"matches{side}"] = matches
    return sides


def test_matches_follow_their_keypoints() -> None:
    pair, swapped, lost = stored(), 0, 0
    for seed in range(20):
        found = varied(pair, np.random.default_rng(seed))
        turned = float(found["scores0"].max()) >= 100
        swapped += turned
        sides = [{k[:-1]: v for k, v in found.items() if k.endswith(end)} for end in ("10" if turned else "01")]
        assert [len(side["matches"]) for side in sides] == [10, 14]
        for side, (own, other) in enumerate((sides, sides[::-1])):
            numbers, others = own["scores"].long() - 100 * side, other["scores"].long() - 100 * (1 - side)
            for number, match in zip(numbers.tolist(), own["matches"].tolist(), strict=True):
                was = int(pair[f"matches{side}"][number])
                if was < 0:
                    assert match == was
                elif was in others.tolist():
                    assert int(others[match]) == was
                else:
                    assert match == -1
                    lost += 1
            assert torch.equal(own["descriptors"].argmax(1), numbers)
    assert 3 < swapped < 17
    assert lost > 0


def test_positions_move_as_one_frame() -> None:
    pair = stored()
    found = varied(pair, np.random.default_rng(1))
    for side in "01":
        numbers = found[f"scores{side}"].long() % 100
        before = _shape(pair["positions0" if float(found[f"scores{side}"].max()) < 100 else "positions1"][numbers])
        assert torch.allclose(_shape(found[f"positions{side}"]), before, atol=1e-5)  # float32


def _shape(positions: Tensor) -> Tensor:
    """What a shift and a scale leave alone."""
    centred = positions - positions.mean(0)
    return centred / centred.norm()
