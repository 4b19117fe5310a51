"""Procedural 3-D scenes with exact depth and pose, and readers of posed RGB-D data."""

from cyano.synthesis.scenes.posed import PosedPair, PosedView, overlap
from cyano.synthesis.scenes.render import Scene, render, render_depth
from cyano.synthesis.scenes.sampling import SceneOptions, make_scene, sample_pair, sample_views

__all__ = [
    "PosedPair",
    "PosedView",
    "Scene",
    "SceneOptions",
    "make_scene",
    "overlap",
    "render",
    "render_depth",
    "sample_pair",
    "sample_views",
]
