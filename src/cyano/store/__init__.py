"""Features, matches and exact keypoints of whole collections on disk: crash-safe, any number of writers, no locks.

Layout and reasons: docs/decisions/0008-store.md.
"""

from cyano.store.base import Compaction, ShardStore
from cyano.store.configuration import Configuration
from cyano.store.features import FeatureStore, StoredImage
from cyano.store.folder import Damage
from cyano.store.keypoints import KeypointStore, StoredKeypoints
from cyano.store.matches import MatchStore, ModelKind, StoredPair, TwoViewGeometry
from cyano.store.opening import AnyStore, open_stores
from cyano.store.precision import Precision
from cyano.store.quarantine import Quarantine, QuarantineEntry
from cyano.store.shard import DamagedShardError

__all__ = [
    "AnyStore",
    "Compaction",
    "Configuration",
    "Damage",
    "DamagedShardError",
    "FeatureStore",
    "KeypointStore",
    "MatchStore",
    "ModelKind",
    "Precision",
    "Quarantine",
    "QuarantineEntry",
    "ShardStore",
    "StoredImage",
    "StoredKeypoints",
    "StoredPair",
    "TwoViewGeometry",
    "open_stores",
]
