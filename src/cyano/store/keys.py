"""Short names: of an item among all items, and of a shard by what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

__all__ = ["CHECKSUM_BYTES", "checksum", "item_key"]

CHECKSUM_BYTES = 16
"""Of every checksum and key: 128 bits, so that no two of a billion items meet by chance."""


def checksum(*parts: bytes | bytearray | memoryview) -> str:
    """BLAKE2b of the parts one after the other, as 32 hexadecimal digits."""
    digest = blake2b(digest_size=CHECKSUM_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def item_key(names: Sequence[str]) -> bytes:
    """16 bytes that stand for an image (one name) or a pair (two names, in whichever order).

    Names may hold any characters: lengths stand before them, so nothing can be read in two ways.
    """
    text = "".join([f"{len(name)}:{name}" for name in sorted(names)])
    # Names of files that are no valid text carry surrogates, which plain UTF-8 refuses.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=CHECKSUM_BYTES).digest()
