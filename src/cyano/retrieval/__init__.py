"""One vector per image from its local descriptors, so that images that look alike are found: VLAD, numpy only.

`sampling` takes some descriptors of a collection, `codebook` clusters them, `vlad` describes images by the
codebook, and `collection` does all three. `cyano.pairs.retrieval` makes pairs of the result.
"""

from cyano.retrieval.codebook import Codebook, codebook_for, load_codebook, save_codebook, train_codebook
from cyano.retrieval.collection import describe_collection
from cyano.retrieval.options import VladOptions
from cyano.retrieval.sampling import LocalDescriptors, sample_descriptors
from cyano.retrieval.vlad import global_descriptors, vlad

__all__ = [
    "Codebook",
    "LocalDescriptors",
    "VladOptions",
    "codebook_for",
    "describe_collection",
    "global_descriptors",
    "load_codebook",
    "sample_descriptors",
    "save_codebook",
    "train_codebook",
    "vlad",
]
