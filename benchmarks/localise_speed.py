"""What localising a photograph costs beside its extraction and its matches, and the share of the poses.

usage: scripts/bench localise_speed SETS SET RESULTS [--repeats N] [--save NAME]

RESULTS is the folder `localisation` of `cyano evaluate SETS --sets localisation`: map A of the first fold of SET is
used. A warm localisation with the ten images that look most alike, without expansion, takes turns with the extraction
of the same photograph and its matches with the same ten images, aligned. Only ratios within one run count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

import measuring
from cyano.checkpoints import load
from cyano.collection.run import DEFAULT_RUN
from cyano.engine import Recipe
from cyano.localisation import LocaliseOptions, Localiser
from cyano.localisation.photograph.search import Search
from cyano.localisation_evaluation import find_posed_sets
from cyano.localisation_evaluation.folds import folds_of, make_map_a, make_map_b

SEED = 0


def main() -> None:
    """Parse the arguments, measure, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path)
    parser.add_argument("set")
    parser.add_argument("results", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    posed = next(each for each in find_posed_sets(arguments.sets)[0] if each.name == arguments.set)
    recipe, fold, folder = Recipe(load()), folds_of(posed.photographs, 5)[0], arguments.results / posed.name
    make_map_b(posed, fold, recipe, folder, run=DEFAULT_RUN)
    place = make_map_a(posed, fold, recipe, folder).map
    localiser = Localiser(place, LocaliseOptions(all_up_to=0, expand=False, seed=SEED))
    query = fold.queries[0]
    path, camera = posed.folder / query.name, query.camera
    names = [each.name for each in localiser.localise(path, camera).candidates]
    spent = [0.0]
    search = Search._best

    def timed(self: Search, sources: object) -> object:
        start = time.process_time()
        found = search(self, sources)  # type: ignore[arg-type]
        spent[0] += time.process_time() - start
        return found

    def parts() -> None:
        (features,) = localiser.matcher.extract([path])
        list(localiser.matcher.iter_matches((place.features(name), features) for name in names))

    Search._best = timed  # type: ignore[method-assign, assignment]
    cpu: dict[str, list[float]] = {"localise": [], "extraction and matches": [], "poses": []}
    for _ in range(arguments.repeats):
        for name, run in (("localise", lambda: localiser.localise(path, camera)), ("extraction and matches", parts)):
            spent[0], start = 0.0, time.process_time()
            run()
            cpu[name].append(time.process_time() - start)
            if name == "localise":
                cpu["poses"].append(spent[0])
    median = {name: statistics.median(seconds) for name, seconds in cpu.items()}
    results = {
        "set": posed.name,
        "images matched": len(names),
        "processor seconds, median": {name: round(value, 3) for name, value in median.items()},
        "localise / (extraction and matches)": round(median["localise"] / median["extraction and matches"], 3),
        "share of the poses in percent": round(100 * median["poses"] / median["localise"], 1),
        "beside": "other programs ran on the same two cores",
    }
    print(json.dumps(results, indent=1))
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, results))


if __name__ == "__main__":
    main()
