"""How lenses bend the image plane, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Polynomial

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distortion"]

_STEPS = 200
"""Of Newton's method at most; with bisection, to which it falls back, fewer do for all intervals."""

_EXACT, _SETTLED = 1e-11, 1e-15
"""How near a point found must come to where it was asked for, and when it stays: relative to its distance plus one."""

_REAL = 1e-9
"""Share of a root's size that its imaginary part may have by rounding."""


@dataclass(frozen=True)
class Distortion:
    """Radial and tangential distortion of points (x, y) = (X / Z, Y / Z) of a camera's frame.

    A point at distance r from the axis moves along its radius to distance t n(t^2) / d(t^2), where t is r, or for a
    fisheye the angle atan(r), and n and d are polynomials that begin with 1. Then
    (2 p1 x y + p2 (r^2 + 2 x^2), 2 p2 x y + p1 (r^2 + 2 y^2)) is added.

    The inverse is unique from the axis on as far as the eigenvalues of the derivative, which is symmetric, are positive
    in all directions. Farther out the polynomials fold back, say nothing about the lens, and the result is NaN.

    Attributes:
        numerator: the coefficients of t^2, t^4, ... in n.
        denominator: those in d.
        tangential: p1, p2; (0, 0) for a fisheye.
        fisheye: whether t is the angle.
    """

    numerator: tuple[float, ...] = ()
    denominator: tuple[float, ...] = ()
    tangential: tuple[float, float] = (0.0, 0.0)
    fisheye: bool = False

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) places on the plane -> (N, 2) bent ones, NaN beyond the fold."""
        with np.errstate(all="ignore"):
            return np.where(self._valid(points)[:, None], self._bent(points)[0], np.nan)

    def undo(self, bent: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) bent places -> (N, 2) on the plane, NaN where no ray ends."""
        with np.errstate(all="ignore"):
            lengths = np.hypot(bent[:, 0], bent[:, 1])
            reached = self._along_radius(lengths)
            if any(self.tangential):
                reached = np.where(np.isnan(reached), self._last, reached)  # it may bring the point back
            radii = np.tan(reached) if self.fisheye else reached
            start = bent * np.where(lengths == 0, 1.0, radii / lengths)[:, None]
            return self._newton(bent, start) if any(self.tangential) else start

    @cached_property
    def _polynomials(self) -> tuple[Polynomial, Polynomial]:
        return Polynomial([1.0, *self.numerator]), Polynomial([1.0, *self.denominator])

    @cached_property
    def _end(self) -> float:
        """The t up to which there is an inverse.

        The radial part has the eigenvalues (t n / d)' along the radius and n / d across; the tangential part lowers
        them by 6 |p| t at most.
        """
        t, square = Polynomial([0.0, 1.0]), Polynomial([0.0, 0.0, 1.0])
        n, d = (each(square) for each in self._polynomials)
        lowered = 6 * float(np.hypot(*self.tangential)) * t
        along = (n + t * n.deriv()) * d - t * n * d.deriv() - lowered * d * d
        across = n - lowered * d
        roots = np.concatenate([each.trim().roots() for each in (along, across, d)])
        positive = roots.real[(np.abs(roots.imag) <= _REAL * np.abs(roots)) & (roots.real > 0)]
        return float(positive.min(initial=np.pi / 2 if self.fisheye else np.inf))

    def _valid(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of (N, 2) places lie before the end."""
        radii = np.hypot(points[:, 0], points[:, 1])
        return np.asarray((np.arctan(radii) if self.fisheye else radii) < self._end)

    @cached_property
    def _last(self) -> float:
        """A t just before the end, a large one if there is none."""
        return self._end * (1 - _REAL) if np.isfinite(self._end) else 1 / _REAL

    def _stretch(self, t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """N / d at t, and its derivative by t^2."""
        n, d = self._polynomials
        s = t * t
        ratio = n(s) / d(s)
        return ratio, (n.deriv()(s) - ratio * d.deriv()(s)) / d(s)

    def _along_radius(self, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """The t of bent points at these distances, by Newton's method between brackets; NaN beyond the fold."""
        usable = np.isfinite(lengths)
        wanted = np.where(usable, lengths, 0.0)
        high = np.full_like(wanted, self._last)
        usable &= wanted <= high * self._stretch(high)[0]
        low, t, before, going = np.zeros_like(wanted), np.minimum(wanted, high), high, usable.copy()
        for _ in range(_STEPS):
            ratio, slope = self._stretch(t)
            error = t * ratio - wanted
            low, high = np.where(error <= 0, t, low), np.where(error > 0, t, high)
            following = t - error / (ratio + 2 * t * t * slope)
            going &= np.abs(following - t) > 4 * np.spacing(t)
            if not going.any():
                break
            fast = (following >= low) & (following <= high) & (2 * np.abs(following - t) <= before)
            following = np.where(fast, following, (low + high) / 2)
            before = np.abs(following - t)
            t = np.where(going, following, t)
        return np.where(usable, t, np.nan)

    def _bent(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, 2) bent places and, but for a fisheye, their (N, 2, 2) derivatives; beyond the fold as well."""
        x, y = points[:, 0], points[:, 1]
        radii = np.hypot(x, y)
        if self.fisheye:
            angles = np.arctan(radii)
            ratio = self._stretch(angles)[0] * np.where(radii > 0, angles / radii, 1.0)
            return points * ratio[:, None], np.empty((len(points), 0, 0))
        p1, p2 = self.tangential
        ratio, slope = self._stretch(radii)
        square = radii * radii
        bent = np.stack(
            [
                x * ratio + 2 * p1 * x * y + p2 * (square + 2 * x * x),
                y * ratio + 2 * p2 * x * y + p1 * (square + 2 * y * y),
            ],
            axis=1,
        )
        across = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
        along_x = ratio + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
        along_y = ratio + 2 * y * y * slope + 2 * p2 * x + 6 * p1 * y
        return bent, np.stack([along_x, across, across, along_y], axis=1).reshape(-1, 2, 2)

    def _newton(self, bent: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
        """Newton's method on the plane; a step that does not come nearer, or ends beyond the fold, is halved."""
        found, share = start, np.ones(len(start))
        reached, jacobian = self._bent(found)
        error, scale = reached - bent, 1 + np.linalg.norm(bent, axis=1)
        for _ in range(_STEPS):
            (a, b), (c, d) = np.moveaxis(jacobian, 0, 2)
            step = np.stack([d * error[:, 0] - b * error[:, 1], a * error[:, 1] - c * error[:, 0]], axis=1)
            step /= (a * d - b * c)[:, None]
            trial = found - share[:, None] * step
            reached, slopes = self._bent(trial)
            nearer = np.linalg.norm(reached - bent, axis=1) < np.linalg.norm(error, axis=1)
            nearer &= self._valid(trial)
            found, error = np.where(nearer[:, None], trial, found), np.where(nearer[:, None], reached - bent, error)
            jacobian = np.where(nearer[:, None, None], slopes, jacobian)
            share = np.where(nearer, 1.0, share / 2)
            if not ((np.linalg.norm(error, axis=1) > _SETTLED * scale) & (share > _REAL)).any():
                break
        exact = np.linalg.norm(self.apply(found) - bent, axis=1) <= _EXACT * scale
        return np.where(exact[:, None], found, np.nan)
