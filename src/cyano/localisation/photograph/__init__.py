"""One photograph, from its matches with a map to a pose or an honest no."""
