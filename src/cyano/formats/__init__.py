"""Other programs' files of features, matches and models: hloc's HDF5, COLMAP's database and text, SuperGlue's archives.

HDF5 and COLMAP need the extra `collections`. Reasons: docs/decisions/0009-formats.md.
"""

from cyano.formats.cameras_file import read_cameras_file
from cyano.formats.colmap.cameras import CameraOptions, Sharing
from cyano.formats.colmap.database import DatabaseSummary, Verification, export_database
from cyano.formats.colmap.reading import Database, DatabaseImage, read_database
from cyano.formats.colmap.sparse import SparseModel, read_model
from cyano.formats.colmap.text import export_text, read_text_keypoints, read_text_matches
from cyano.formats.hloc.features import export_features, import_features, read_features
from cyano.formats.hloc.matches import export_matches, import_matches, read_matches
from cyano.formats.mapping.known_cameras import CameraEntry
from cyano.formats.mapping.mappers import Mapper, MappingOptions
from cyano.formats.mapping.reconstruct import ModelSummary, sparse_model
from cyano.formats.pair_archives import PairArchive, export_archives, read_archive

__all__ = [
    "CameraEntry",
    "CameraOptions",
    "Database",
    "DatabaseImage",
    "DatabaseSummary",
    "Mapper",
    "MappingOptions",
    "ModelSummary",
    "PairArchive",
    "Sharing",
    "SparseModel",
    "Verification",
    "export_archives",
    "export_database",
    "export_features",
    "export_matches",
    "export_text",
    "import_features",
    "import_matches",
    "read_archive",
    "read_cameras_file",
    "read_database",
    "read_features",
    "read_matches",
    "read_model",
    "read_text_keypoints",
    "read_text_matches",
    "sparse_model",
]
