"""COLMAP's mappers and triangulation, and whether their models can be trusted."""
