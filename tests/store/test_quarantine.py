"""Items that are set apart, by one process or several."""

from __future__ import annotations

import json
from pathlib import Path

from cyano.store import FeatureStore, Quarantine, QuarantineEntry
from cyano.store.keys import item_key
from support.stores import CONFIGURATION


def test_reports_add_up(tmp_path: Path) -> None:
    first, second = Quarantine(tmp_path / "q"), Quarantine(tmp_path / "q")
    assert first.entries() == []
    first.add(("b.jpg", "a.jpg"), "killed its worker", 3)
    second.add(("a.jpg", "b.jpg"), "out of memory")
    second.add(("\udcff.jpg",), "not an image")
    expected = [
        QuarantineEntry(("a.jpg", "b.jpg"), "out of memory", 4),
        QuarantineEntry(("\udcff.jpg",), "not an image", 1),
    ]
    assert first.entries() == expected
    (tmp_path / "q" / f"{'0' * 32}-0.json").write_text("{")
    (tmp_path / "q" / ".x.json").write_text("{}")
    assert first.entries() == expected
    good = next((tmp_path / "q").glob(f"{item_key(('a.jpg', 'b.jpg')).hex()}-*.json"))
    report = json.loads(good.read_bytes())
    wrong = (
        {"item": 3},
        {"item": ["a.jpg", 3]},
        {"item": ["c.jpg"]},
        {"attempts": 1e400},
        {"more": 1},
        {"time_ns": None},
    )
    for number, change in enumerate(wrong):
        text = json.dumps({**report, **change}).replace("Infinity", "1e999")
        good.with_name(f"{good.name.split('-')[0]}-{number}.json").write_text(text)
    good.with_name(f"{good.name.split('-')[0]}-9.json").write_text("[" * 100_000)
    assert first.entries() == expected
    first.release(("b.jpg", "a.jpg"))
    assert second.entries() == expected[1:]


def test_a_store_has_one(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, CONFIGURATION)
    store.quarantine.add(("a",), "broken")
    assert [entry.item for entry in FeatureStore(tmp_path, CONFIGURATION).quarantine.entries()] == [("a",)]
    assert store.missing(["a"]) == ["a"]  # the list is for whoever plans
