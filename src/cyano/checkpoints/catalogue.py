"""Known weights: where they are, under which licence, and how to tell that they are unharmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cyano import weights
from cyano.checkpoints.files import sha256
from cyano.checkpoints.hub import HubOptions, resolve
from cyano.errors import WeightsError

__all__ = ["CATALOGUE", "Verification", "WeightsEntry", "entry", "for_live", "verify"]


@dataclass(frozen=True)
class WeightsEntry:
    """One set of weights.

    Attributes:
        name: what `cyano.checkpoints.load` takes.
        where: where they are: in the wheel, in Cyano's repository, or on the Hugging Face hub.
        licence: its name.
        commercial_use: whether the licence allows it.
        description: what they are.
        checksums: SHA-256 by file name; empty where nobody has pinned them.

    Example:
        >>> CATALOGUE["cyano-tiny"].licence, CATALOGUE["cyano-tiny"].commercial_use
        ('Apache-2.0', True)
    """

    name: str
    where: str
    licence: str
    commercial_use: bool
    description: str
    checksums: Mapping[str, str] = field(default_factory=dict)


_DEFAULT_CHECKSUMS = MappingProxyType(
    {
        "config.json": "7b6c6f4dd7e79e2fcc88186d4bf0e7fec46d380157b0b5c41ef2ac99063f3c7a",
        "model.safetensors": "9da7d5e2826601c979fe1a2a15600963b7133d95ae69811bcd9086aaae11809b",
        "preprocessor_config.json": "9468ada39d38551eea01a9602b3098c91c02b50ae44332328f6f2e1ee768af64",
    }
)
_TINY_CHECKSUMS = MappingProxyType(
    {
        "config.json": "30884e9325893f6584f9e79093a99b27ac0c40a247d4e08f001b70c1848bd2b1",
        "model.safetensors": "7cb1971a83329194e7345baeb82ee279189cf4c367d491aabf9bc3aeeaa94382",
        "preprocessor_config.json": "9468ada39d38551eea01a9602b3098c91c02b50ae44332328f6f2e1ee768af64",
    }
)
_HUB = "on the Hugging Face hub"
_MAGIC_LEAP = "Magic Leap, non-commercial research use only"

CATALOGUE: Mapping[str, WeightsEntry] = MappingProxyType(
    {
        item.name: item
        for item in (
            WeightsEntry(
                name=weights.DEFAULT,
                where="in the wheel",
                licence="Apache-2.0",
                commercial_use=True,
                description="small SuperPoint and SuperGlue (2.6 M parameters), trained on freely usable photographs",
                checksums=_DEFAULT_CHECKSUMS,
            ),
            WeightsEntry(
                name=weights.TINY,
                where="in the wheel",
                licence="Apache-2.0",
                commercial_use=True,
                description="tiny, for live use: taught by cyano-small, 6 layers, 512 keypoints (1.2 M parameters)",
                checksums=_TINY_CHECKSUMS,
            ),
            WeightsEntry(
                name="runs/base/model",
                where="in Cyano's repository, by this path from its folder; not in the wheel",
                licence="Apache-2.0",
                commercial_use=True,
                description="base: the detector of cyano-small with a matcher of 8.6 M parameters, twice as slow",
            ),
            WeightsEntry(
                name="magic-leap-community/superglue_outdoor",
                where=_HUB,
                licence=_MAGIC_LEAP,
                commercial_use=False,
                description="the original SuperGlue for outdoor scenes, with its SuperPoint",
            ),
            WeightsEntry(
                name="magic-leap-community/superglue_indoor",
                where=_HUB,
                licence=_MAGIC_LEAP,
                commercial_use=False,
                description="the original SuperGlue for indoor scenes, with its SuperPoint",
            ),
            WeightsEntry(
                name="magic-leap-community/superpoint",
                where=_HUB,
                licence=_MAGIC_LEAP,
                commercial_use=False,
                description="the original SuperPoint alone",
            ),
        )
    }
)
"""All known weights by name. Other weights load just as well; their licence is what their model card states."""


def for_live(name: str | None) -> str | None:
    """The weights for live use: those that are named, else cyano-tiny if it is there, else the usual ones, None."""
    return "cyano-tiny" if name is None and "cyano-tiny" in CATALOGUE else name


def entry(name: str) -> WeightsEntry:
    """The entry of that name.

    Raises:
        WeightsError: the name is not in the catalogue.
    """
    if name not in CATALOGUE:
        raise WeightsError(f"there are no weights named {name!r}; known are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`.

    Attributes:
        name: the weights' name.
        folder: where they are.
        checksums: SHA-256 by file name, as computed now.
        verified: True if all of them are the pinned ones; None where none are pinned, so that nobody can
            tell.

    Example:
        >>> outcome = verify("cyano-tiny")
        >>> outcome.name, outcome.verified, sorted(outcome.checksums)[-1]
        ('cyano-tiny', True, 'preprocessor_config.json')
    """

    name: str
    folder: Path
    checksums: Mapping[str, str]
    verified: bool | None


def verify(name: str = weights.DEFAULT, hub: HubOptions | None = None) -> Verification:
    """Compute the checksums of known weights and compare them with the pinned ones.

    Args:
        name: a name in the catalogue.
        hub: where to find weights of the hub; they are fetched if need be.

    Raises:
        WeightsError: the name is unknown, a file is missing, or a checksum differs.

    Example:
        >>> verify("cyano-small").verified
        True
    """
    known = entry(name)
    folder = resolve(name, hub)
    names = known.checksums or [path.name for path in sorted(folder.glob("*.safetensors"))]
    computed = {file: sha256(folder / file) for file in names}
    wrong = [file for file, expected in known.checksums.items() if computed[file] != expected]
    if wrong:
        raise WeightsError(f"{folder}: {', '.join(wrong)} is not the file that was released; install Cyano again")
    return Verification(name, folder, MappingProxyType(computed), True if known.checksums else None)
