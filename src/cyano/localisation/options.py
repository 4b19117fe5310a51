"""How photographs are localised."""

from __future__ import annotations

from dataclasses import dataclass

from cyano.errors import InputError

__all__ = ["LocaliseOptions"]


@dataclass(frozen=True)
class LocaliseOptions:
    """How photographs are localised.

    Attributes:
        top_k: images of the map that a photograph is matched with, by the likeness of their global descriptors.
        all_up_to: maps of so many images are matched whole.
        threshold_px: how far an inlier may be from its projection, in pixels of the photograph.
        min_inliers: fewer keypoints make no pose.
        expand: also match the images of the map that share most points with the inliers.
        seed: of the sampling, at most 2^31 - 1.
        prior_radius: how far from a position that is known beforehand the images of the map stand that count, and the
            pose may be, in the map's unit.

    Raises:
        InputError: a number is out of its range.

    Example:
        >>> strict = LocaliseOptions(threshold_px=2.0, min_inliers=30)
        >>> Localiser(Map.open(Path("run"), recipe), strict).localise("new.png").ok
        True
    """

    top_k: int = 10
    all_up_to: int = 20
    threshold_px: float = 4.0
    min_inliers: int = 12
    expand: bool = True
    seed: int = 0
    prior_radius: float = 50.0

    def __post_init__(self) -> None:
        for name, least in (("top_k", 1), ("all_up_to", 0), ("min_inliers", 4), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, not {value!r}")
        if self.seed >= 2**31:
            raise InputError(f"seed must be less than 2^31, not {self.seed}")
        for name in ("threshold_px", "prior_radius"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be positive and finite, not {getattr(self, name)}")
