"""How exactly a store keeps what it holds most of."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cyano.errors import InputError

__all__ = ["PRECISION", "Precision", "narrowed"]

Precision = Literal["float16", "float32"]
"""Of what there is most of in a store: descriptors, or the scores of matches."""

PRECISION = "stored_precision"
"""Its name in the configuration."""


def narrowed(array: NDArray[Any], precision: Precision, what: str) -> NDArray[Any]:
    """The array in the precision of the store.

    Raises:
        InputError: a value is too large for it.
    """
    with np.errstate(over="ignore"):
        result = array.astype(precision, copy=False)
    if not np.isfinite(result).all():
        raise InputError(f"{what} hold values that {precision} cannot hold; store them with precision='float32'")
    return result
