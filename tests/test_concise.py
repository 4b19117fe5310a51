"""Values that hold arrays are printed in a line, and tables for notebooks are safe HTML."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

import cyano
from cyano.concise import Concise, facts_html


@dataclass(frozen=True, eq=False, repr=False)
class _Value(Concise):
    points: np.ndarray
    mask: torch.Tensor | None
    name: str


def test_arrays_and_tensors_are_printed_by_dtype_and_shape() -> None:
    value = _Value(np.zeros((3, 2), np.float32), torch.zeros(5, dtype=torch.bool), "a.jpg")
    assert repr(value) == "_Value(points=float32 (3, 2), mask=bool (5,), name='a.jpg')"
    assert repr(_Value(np.zeros(0), None, "x" * 500)).endswith("xxx...)")


def test_features_and_matchers_print_in_a_line() -> None:
    matcher = cyano.Matcher.from_pretrained(device="cpu")
    assert (
        repr(matcher) == "Matcher(cyano-small, device=cpu, max_keypoints=1024, match_threshold=0.2, precision=float32)"
    )
    (features,) = matcher.extract([np.zeros((48, 64), np.uint8)])
    assert repr(features).startswith("Features(keypoints=float32 (0, 2), scores=float32 (0,), ")
    assert "\n" not in repr(features)


def test_tables_are_escaped() -> None:
    table = facts_html("<b>", [("R & t", "1\n<2")])
    assert "&lt;b&gt;" in table
    assert "<th>R &amp; t</th>" in table
    assert "1\n&lt;2" in table
