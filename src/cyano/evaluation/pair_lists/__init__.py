"""The program match_pairs: a list of pairs in, files of matches and the published table out."""
