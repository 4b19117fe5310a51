"""Requests made up from the OpenAPI document, by schemathesis: no 5xx but 503, and each answer is as documented."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from page.conftest import Program

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis makes the requests: pip install schemathesis")
hypothesis = pytest.importorskip("hypothesis", reason="schemathesis needs it")

EXAMPLES = 12
EXISTING = 0.8
"""The share of requests that name images, matches and collections that exist, so that they get to the worker."""


@pytest.fixture(scope="module")
def existing(program: Program) -> dict[str, list[Any]]:
    """Values of parameters that lead somewhere."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    whole = np.asarray(Image.fromarray(noise).resize((384, 288), Image.Resampling.BICUBIC))
    images = []
    for left in (0, 24):  # two cuts of one picture, so that they have a homography
        content = io.BytesIO()
        Image.fromarray(whole[:, left : left + 320]).save(content, "PNG")
        images.append(program.client.put("/images", content=content.getvalue()).json()["id"])
    match = program.client.post("/matches", json={"image0": images[0], "image1": images[1]}).json()["id"]
    keys = ("image", "image0", "image1", "mask0", "mask1")
    numbers = {"n": [0], "i": [0, 1], "j": [1, 2]}
    return {"match": [match], "name": ["busy"], **numbers, **dict.fromkeys(keys, images)}


def answers(operation: Any, existing: dict[str, list[Any]]) -> Counter[int]:
    """How many answers an operation gave of each status, all of them as documented."""
    excluded = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")]  # what is valid may not fit the images
    told: Counter[int] = Counter()

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(), chance=hypothesis.strategies.randoms(use_true_random=False))
    def ask(case: Any, chance: Any) -> None:
        for values in (case.path_parameters, case.body):
            for name in sorted(existing.keys() & (values.keys() if isinstance(values, dict) else ())):
                if chance.random() < EXISTING:
                    values[name] = chance.choice(existing[name])
        told[case.call_and_validate(excluded_checks=excluded, timeout=120).status_code] += 1

    ask()
    return told


def test_answers_are_as_documented(program: Program, existing: dict[str, list[Any]]) -> None:
    api = schemathesis.openapi.from_url(f"{program.address}api/v1/openapi.json")
    statuses = {found.ok().label: answers(found.ok(), existing) for found in api.get_all_operations()}
    assert len(statuses) >= 25
    assert all(status < 500 or status == 503 for counts in statuses.values() for status in counts)
    # All but two were asked for something that exists: an image cannot be made up.
    failed = {name for name, counts in statuses.items() if not any(status < 300 for status in counts)}
    assert failed <= {"PUT /api/v1/images", "POST /api/v1/match"}, statuses
