"""Commands on movies and cameras."""
