"""From photographs to what the networks see, and from what the networks say to keypoints and matches.

Nothing is re-exported here: import the module that is meant, such as `cyano.processing.images`.
"""
