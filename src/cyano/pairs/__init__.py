"""Which images are matched with which: names and numbers only, no pixels.

`listfile` reads and writes the pair list of the original evaluation program, and `namelist` long lists for
collections. The ways to select pairs are `exhaustive`, `sequential`, `retrieval` (by global descriptors) and
`spatial` (by positions from `gps` or `positions`); `selection` has one function for all of them, and where there is a
model already, `covisible` pairs by common points. Selected pairs have the image that was named first in front and come
in the order of the names, each once.
"""

from cyano.pairs.covisibility import covisible
from cyano.pairs.exhaustive import exhaustive
from cyano.pairs.gps import read_gps
from cyano.pairs.listfile import Pair, plain_stem, read_pairs, unique_stems, write_pairs
from cyano.pairs.namelist import PairList, read_name_pairs
from cyano.pairs.order import natural_order
from cyano.pairs.positions import Positions, local_metres, metres_from, middle_of, read_poses
from cyano.pairs.retrieval import retrieval
from cyano.pairs.selection import METHOD_OPTIONS, PairMethod, PairOptions, Selection, choose_pairs
from cyano.pairs.sequential import sequential
from cyano.pairs.spatial import spatial

__all__ = [
    "METHOD_OPTIONS",
    "Pair",
    "PairList",
    "PairMethod",
    "PairOptions",
    "Positions",
    "Selection",
    "choose_pairs",
    "covisible",
    "exhaustive",
    "local_metres",
    "metres_from",
    "middle_of",
    "natural_order",
    "plain_stem",
    "read_gps",
    "read_name_pairs",
    "read_pairs",
    "read_poses",
    "retrieval",
    "sequential",
    "spatial",
    "unique_stems",
    "write_pairs",
]
