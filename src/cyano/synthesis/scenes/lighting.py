"""How a view is lit and exposed. Surfaces are matt (Lambert), so with equal light both views see equal greys."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cyano.synthesis.scenes.surfaces import Bounds

__all__ = ["Lighting", "sample_another_light", "sample_lighting"]


def _overhead() -> NDArray[np.float64]:
    return np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Lighting:
    """The light of one view, and what its camera makes of it.

    Attributes:
        ambient: light on every surface, 1 shows the texture's own grey.
        direction: (3,) unit vector in the world towards a distant lamp.
        directional: its strength on a surface that faces it.
        lamp: (3,) place of a near lamp in the world, or None.
        lamp_power: its strength on a surface that faces it at `lamp_reach`.
        lamp_reach: metres; the light falls with the square of the distance beyond.
        vignette: share of light lost at one focal length from the principal point.
        gain: exposure.
        gamma: exponent after the exposure.
    """

    ambient: float = 1.0
    direction: NDArray[np.float64] = field(default_factory=_overhead)
    directional: float = 0.0
    lamp: NDArray[np.float64] | None = None
    lamp_power: float = 0.0
    lamp_reach: float = 1.0
    vignette: float = 0.0
    gain: float = 1.0
    gamma: float = 1.0


def sample_lighting(room: Bounds, rng: np.random.Generator, change: float) -> tuple[Lighting, Lighting]:
    """The light of two views of one place.

    Args:
        room: where lamps may stand.
        rng: the source of randomness.
        change: 0 for equal light without vignette and with plain exposure, 1 for the strongest changes.
    """
    first, second = _light(room, rng), _light(room, rng)
    if rng.random() < _same(change):
        second = first
    return _exposed(first, rng, change), _exposed(second, rng, change)


def sample_another_light(first: Lighting, room: Bounds, rng: np.random.Generator, change: float) -> Lighting:
    """The light of a further view of the place of `first`; otherwise as `sample_lighting`."""
    return _exposed(first if rng.random() < _same(change) else _light(room, rng), rng, change)


def _same(change: float) -> float:
    """How often two views have the same light; mostly they do, as when one camera moves on."""
    return 1 - 0.7 * change


def _light(room: Bounds, rng: np.random.Generator) -> Lighting:
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) + 0.3
    direction /= np.linalg.norm(direction)
    ambient = rng.uniform(0.55, 0.9)
    has_lamp = rng.random() < 0.5
    extent = np.linalg.norm(room.high - room.low)
    return Lighting(
        ambient=ambient,
        direction=direction,
        directional=rng.uniform(0.3, 1.1) * (1.25 - ambient),
        lamp=rng.uniform(room.low, room.high) if has_lamp else None,
        lamp_power=rng.uniform(0.1, 0.5) if has_lamp else 0.0,
        lamp_reach=float(extent * rng.uniform(0.15, 0.35)),
    )


def _exposed(light: Lighting, rng: np.random.Generator, change: float) -> Lighting:
    gain, gamma, vignette = rng.normal(), rng.normal(), rng.uniform(0, 0.35)
    return replace(
        light,
        gain=float(np.exp(np.clip(0.25 * change * gain, -0.6, 0.4))),
        gamma=float(np.exp(np.clip(0.25 * change * gamma, -0.5, 0.5))),
        vignette=float(vignette * change),
    )
