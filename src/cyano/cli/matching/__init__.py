"""Commands on pairs of images."""
