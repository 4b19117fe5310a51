"""How exactly photographs of posed sets are localised: the table of docs/decisions/0019-visual-localisation.md.

usage: scripts/bench localisation_sets SETS RESULTS [--set NAME ...] [--done] [--save NAME]

What `cyano evaluate SETS --sets localisation` does with the options of `cyano localise`, set by set, in the folder
RESULTS; run again, it goes on where it was, and several may run at once for other sets. With --done nothing is
localised: what is there counts, and how much that is is told. Confidences are those of the code as it is now, from the
evidence that was kept.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

import measuring
from cyano.checkpoints import load
from cyano.collection.run import DEFAULT_RUN
from cyano.engine import Recipe
from cyano.localisation.output.records import Record, read_records
from cyano.localisation.photograph.confidence import CERTAIN, confidence_of
from cyano.localisation_evaluation import (
    Judged,
    PosedSet,
    ProtocolOptions,
    auc,
    evaluate_localisation,
    find_posed_sets,
    score,
)
from cyano.localisation_evaluation.folds import Fold, folds_of, make_map_b
from cyano.localisation_evaluation.judging import judge
from cyano.localisation_evaluation.similarity import Similarity

SEED = 0
FOLDS = 5
TRIALS = {
    "a": "map A",
    "a-estimated": "map A, focal length estimated",
    "a-unaligned": "map A, not aligned",
    "b": "map B",
    "elsewhere": "other places",
}


def as_now(record: Record) -> Record:
    """With the confidence that its evidence has by the code as it is."""
    if record.evidence is None:
        return record
    confidence = confidence_of(record.evidence)
    return replace(record, confidence=confidence, status="ok" if confidence >= CERTAIN else "uncertain")


def done(posed: PosedSet, recipe: Recipe, folder: Path) -> dict[str, list[Judged]]:
    """What is there of a set, by trial."""
    found: dict[str, list[Judged]] = {}
    for fold in folds_of(posed.photographs, FOLDS):
        place = folder / f"fold{fold.number}"
        for slug, name in TRIALS.items():
            lines = place / "localised" / slug / "localisations.jsonl"
            if lines.exists():
                records = {key: as_now(record) for key, record in read_records(lines).items()}
                found.setdefault(name, []).extend(of_fold(posed, fold, recipe, folder, slug, records))
    return found


def of_fold(
    posed: PosedSet, fold: Fold, recipe: Recipe, folder: Path, slug: str, records: dict[str, Record]
) -> Iterator[Judged]:
    """The judgements of one trial of a fold."""
    if slug == "elsewhere":
        yield from (Judged(record.name, record) for record in records.values())
        return
    to_set = Similarity.identity()
    if slug == "b":
        to_set = make_map_b(posed, fold, recipe, folder, seed=SEED, run=DEFAULT_RUN).to_set
    for truth in fold.queries:
        if truth.name in records:
            yield judge(records[truth.name], truth, to_set, posed.distance)


def row(posed: PosedSet, judged: dict[str, list[Judged]]) -> dict[str, Any]:
    """The numbers of a set."""
    right = [each.confidence for each in judged.get("map A", []) if each.right]
    wrong = [each.confidence for each in judged.get("other places", [])]
    return {
        "photographs": len(posed.photographs),
        **{name: shortened(asdict(score(outcomes))) for name, outcomes in judged.items()},
        "AUC of confidence": short(auc(right, wrong)),
    }


def shortened(values: dict[str, Any]) -> dict[str, Any]:
    """With four digits; None for what is infinite or undefined."""
    return {name: short(value) for name, value in values.items()}


def short(value: Any) -> Any:
    """See `shortened`."""
    if isinstance(value, list | tuple):
        return [short(each) for each in value]
    if not isinstance(value, float):
        return value
    return float(f"{value:.4g}") if math.isfinite(value) else None


def localise(sets: Sequence[PosedSet], recipe: Recipe, results: Path) -> None:
    """Everything that is not there yet."""
    options = ProtocolOptions(results, folds=FOLDS, seed=SEED)
    evaluate_localisation(sets, recipe, options, on_step=lambda text: print(text, flush=True))


def main() -> None:
    """Parse the arguments, localise, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--set", action="append", metavar="NAME")
    parser.add_argument("--done", action="store_true")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe(load())
    sets = [each for each in find_posed_sets(arguments.sets)[0] if arguments.set is None or each.name in arguments.set]
    if not arguments.done:
        localise(sets, recipe, arguments.results)
    results = {}
    for posed in sets:
        results[posed.name] = row(posed, done(posed, recipe, arguments.results / posed.name))
        print(posed.name, json.dumps(results[posed.name], indent=1), flush=True)
    if arguments.save:
        path = measuring.RESULTS / f"{arguments.save}.json"  # what was measured before, of others, stays
        before = json.loads(path.read_text())["results"]["sets"] if path.exists() else {}
        merged = before | {name: before.get(name, {}) | found for name, found in results.items()}
        print("wrote", measuring.save(arguments.save, SEED, {"folds": FOLDS, "sets": merged}))


if __name__ == "__main__":
    main()
