"""Commands on weights: list, train, evaluate, export."""
