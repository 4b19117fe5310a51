"""The pose of a camera or a rig from points of the world, with its covariance."""
