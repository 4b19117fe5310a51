"""COLMAP's files: database, binary and text models."""
