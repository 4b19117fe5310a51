"""Every store in a folder, without knowing what made it."""

from __future__ import annotations

import os
from pathlib import Path

from cyano.errors import InputError
from cyano.store.configuration import CONFIG_FILE, read_record
from cyano.store.features import FeatureStore
from cyano.store.matches import MatchStore
from cyano.store.precision import PRECISION

__all__ = ["open_stores"]

_STORES: dict[str, type[FeatureStore] | type[MatchStore]] = {
    FeatureStore.kind: FeatureStore,
    MatchStore.kind: MatchStore,
}


def open_stores(root: str | os.PathLike[str]) -> list[FeatureStore | MatchStore]:
    """Open all stores in a folder: one for each kind and configuration, features first.

    Raises:
        InputError: there is none, or what is said of one cannot be understood.
    """
    stores: list[FeatureStore | MatchStore] = []
    for kind, store in _STORES.items():
        for path in sorted((Path(root) / kind).glob(f"*/{CONFIG_FILE}")):
            configuration = read_record(path.parent)
            precision = configuration.pop(PRECISION, None)
            stores.append(store(root, configuration, precision=precision))
    if not stores:
        raise InputError(f"{root} holds no store; give the folder that has {' or '.join(_STORES)} in it")
    return stores
