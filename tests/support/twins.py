"""Slow numpy twins: each written from the definition, with loops, sharing no code with what it checks."""

from __future__ import annotations

import numpy as np


def suppress_non_maxima(scores: np.ndarray, radius: int) -> np.ndarray:
    """(H, W) scores: maxima of their window, then two rounds for what only suppressed pixels had beaten."""

    def is_window_max(values: np.ndarray) -> np.ndarray:
        result = np.zeros(values.shape, dtype=bool)
        for y, x in np.ndindex(*values.shape):
            window = values[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            result[y, x] = values[y, x] == window.max()
        return result

    maxima = is_window_max(scores)
    for _ in range(2):
        near = np.zeros_like(maxima)
        for y, x in np.argwhere(maxima):
            near[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1] = True
        maxima |= is_window_max(np.where(near, 0, scores)) & ~near
    return np.where(maxima, scores, 0)


def bilinear(maps: np.ndarray, x: float, y: float) -> np.ndarray:
    """(D, H, W) at (x, y) in cells; beyond the outer centres zeros."""
    _, height, width = maps.shape
    left, top = int(np.floor(x)), int(np.floor(y))
    value = np.zeros(maps.shape[0])
    for column in (left, left + 1):
        for row in (top, top + 1):
            if 0 <= column < width and 0 <= row < height:
                value += (1 - abs(x - column)) * (1 - abs(y - row)) * maps[:, row, column]
    return value


def sample_descriptors(maps: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(D, Hc, Wc) maps at (N, 2) pixels: (N, D) unit vectors. Cells are 8 pixels; a cell's centre is at 3.5."""
    _, rows, columns = maps.shape
    sampled = []
    for x, y in keypoints.astype(np.float64):
        # The published formula: cell coordinates stretched by (n - 1) / (8 n - 4.5) instead of 1 / 8.
        cx = (x - 3.5) * (columns - 1) / (8 * columns - 4.5)
        cy = (y - 3.5) * (rows - 1) / (8 * rows - 4.5)
        value = bilinear(maps, cx, cy)
        sampled.append(value / max(np.linalg.norm(value), 1e-12))
    return np.array(sampled).reshape(-1, maps.shape[0])


def sinkhorn(scores: np.ndarray, bin_score: float, iterations: int) -> np.ndarray:
    """(M, N) scores to the (M+1, N+1) log assignment in float64, by plain sums over rows and columns."""
    rows, columns = scores.shape
    couplings = np.full((rows + 1, columns + 1), bin_score, dtype=np.float64)
    couplings[:rows, :columns] = scores
    mass = 1 / (rows + columns)
    mu = np.array([mass] * rows + [columns * mass])
    nu = np.array([mass] * columns + [rows * mass])

    def log_sum(values: np.ndarray) -> float:
        top = values.max()
        return float(top + np.log(np.exp(values - top).sum()))

    u, v = np.zeros(rows + 1), np.zeros(columns + 1)
    with np.errstate(divide="ignore"):
        log_mu, log_nu = np.log(mu), np.log(nu)
    for _ in range(iterations):
        u = np.array([log_mu[i] - log_sum(couplings[i] + v) for i in range(rows + 1)])
        v = np.array([log_nu[j] - log_sum(couplings[:, j] + u) for j in range(columns + 1)])
    return couplings + u[:, None] + v[None, :] - np.log(mass)


def mutual_matches(assignment: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """(M+1, N+1) log assignment -> matches0 (M,) and their probabilities, by looking at every pair."""
    inner = assignment[:-1, :-1]
    matches, scores = np.full(len(inner), -1), np.zeros(len(inner))
    for i in range(inner.shape[0]):
        for j in range(inner.shape[1]):
            best_of_row = all(inner[i, j] >= inner[i, k] for k in range(inner.shape[1]))
            best_of_column = all(inner[i, j] >= inner[k, j] for k in range(inner.shape[0]))
            if best_of_row and best_of_column and np.exp(inner[i, j]) > threshold:
                matches[i], scores[i] = j, np.exp(inner[i, j])
    return matches, scores
