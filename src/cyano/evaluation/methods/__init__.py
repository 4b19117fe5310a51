"""The methods that an evaluation compares, and their predictions."""
