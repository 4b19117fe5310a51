"""Which images are matched with which: names only, no pixels.

`listfile` reads and writes the pair list of the original evaluation program, `exhaustive` pairs every image
with every other one.
"""

from cyano.pairs.exhaustive import exhaustive
from cyano.pairs.listfile import Pair, plain_stem, read_pairs, unique_stems, write_pairs

__all__ = ["Pair", "exhaustive", "plain_stem", "read_pairs", "unique_stems", "write_pairs"]
