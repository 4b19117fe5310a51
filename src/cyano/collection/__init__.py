"""From a folder of images to a sparse model: the stages over one folder of results, and all of them in one call.

How to use it: docs/how-to/collections.md.
"""

from cyano.collection.folder import Collection
from cyano.collection.outputs import (
    HlocFeatures,
    HlocSummary,
    write_database,
    write_hloc,
    write_hloc_features,
    write_model,
    write_triangulated,
)
from cyano.collection.reconstruction import Reconstruction, reconstruct
from cyano.collection.run import Run
from cyano.collection.stages import PairChoice, align_images, extract_images, match_pairs, select_pairs, verify_pairs
from cyano.collection.views import ModelViews, write_views

__all__ = [
    "Collection",
    "HlocFeatures",
    "HlocSummary",
    "ModelViews",
    "PairChoice",
    "Reconstruction",
    "Run",
    "align_images",
    "extract_images",
    "match_pairs",
    "reconstruct",
    "select_pairs",
    "verify_pairs",
    "write_database",
    "write_hloc",
    "write_hloc_features",
    "write_model",
    "write_triangulated",
    "write_views",
]
