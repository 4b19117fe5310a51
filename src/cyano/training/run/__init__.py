"""A training run: its recipe, its order of stages, the loop, its state and what it says."""
