"""Recipes: training runs as TOML files, read by `cyano.training.run.config`."""
