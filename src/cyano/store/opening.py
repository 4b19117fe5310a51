"""Every store in a folder, without knowing what made it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from cyano.errors import InputError
from cyano.store.configuration import CONFIG_FILE, read_record
from cyano.store.features import FeatureStore
from cyano.store.keypoints import KeypointStore
from cyano.store.matches import MatchStore
from cyano.store.precision import PRECISION

__all__ = ["AnyStore", "open_stores"]

AnyStore: TypeAlias = FeatureStore | MatchStore | KeypointStore

_STORES: dict[str, type[AnyStore]] = {store.kind: store for store in (FeatureStore, MatchStore, KeypointStore)}


def open_stores(root: str | os.PathLike[str]) -> list[AnyStore]:
    """Open all stores in a folder: one for each kind and configuration, features first and matches second.

    Raises:
        InputError: there is none, or what is said of one cannot be understood.

    Example:
        >>> [(store.kind, store.count()) for store in open_stores("run/store")]
        [('features', 6), ('matches', 15), ('keypoints', 6)]
    """
    stores: list[AnyStore] = []
    for kind, store in _STORES.items():
        for path in sorted((Path(root) / kind).glob(f"*/{CONFIG_FILE}")):
            configuration = read_record(path.parent)
            precision = configuration.pop(PRECISION, None)
            stores.append(store(root, configuration, precision=precision))
    if not stores:
        inside = Path(root) / "store"
        remedy = f"give {inside}" if inside.is_dir() else f"give the folder that has {' or '.join(_STORES)} in it"
        raise InputError(f"{root} holds no store; {remedy}")
    return stores
