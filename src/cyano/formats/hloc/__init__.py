"""hloc's files: features, matches and lists of queries."""
