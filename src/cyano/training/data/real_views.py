"""Pictures that were really taken, with what is known of where their points lie in each other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyano.synthesis.scenes.posed_frames import FramePair
from cyano.training.data.places import Place, read_places
from cyano.training.data.posed import read_posed

__all__ = ["NOTHING_REAL", "NO_SOURCES", "RealSources", "RealViews"]


@dataclass(frozen=True, eq=False)
class RealViews:
    """What is given beside photographs.

    Attributes:
        posed: pairs of posed images with depth.
        places: reconstructed places.
    """

    posed: Sequence[FramePair] = ()
    places: Sequence[Place] = ()

    def record(self) -> dict[str, int]:
        """How much there is."""
        return {"posed": len(self.posed), "places": len(self.places)}


@dataclass(frozen=True)
class RealSources:
    """Where it is.

    Attributes:
        posed: scenes, see `read_posed`.
        reconstructions: models, see `read_places`.
        allow_pickle: see `read_posed`.
    """

    posed: Sequence[Path] = ()
    reconstructions: Sequence[Path] = ()
    allow_pickle: bool = False

    def read(self, images: Path, aside: Collection[Path]) -> RealViews:
        """All of it.

        Args:
            images: the folder of photographs, where those of the models may be.
            aside: photographs that are kept aside.

        Raises:
            InputError: something is missing or malformed.
            MissingExtraError: pycolmap is not installed, which models need.
        """
        posed = read_posed(self.posed, allow_pickle=self.allow_pickle)
        return RealViews(posed, read_places(self.reconstructions, images, aside))


NOTHING_REAL = RealViews()
NO_SOURCES = RealSources()
