"""The smallest of recipes: every stage in a few steps."""

from __future__ import annotations

DETECTOR_AND_MATCHER = """
seed = 0
validation = 0.2
[superpoint]
encoder_hidden_sizes = [4, 4, 8, 16]
decoder_hidden_size = 16
descriptor_decoder_dim = 32
[superglue]
hidden_size = 32
keypoint_encoder_sizes = [16]
gnn_layers_types = ["self", "cross"]
num_attention_heads = 2
sinkhorn_iterations = 10
[shapes.options]
height = 64
width = 64
[shapes.schedule]
steps = 3
batch_size = 2
workers = 0
[[rounds]]
[rounds.labels]
warps = 2
longest = 160
threshold = 1e-4
[rounds.options]
height = 64
width = 96
[rounds.schedule]
steps = 2
batch_size = 2
workers = 0
[[matcher]]
[matcher.options]
height = 96
width = 128
keypoints = 32
scenes = 0.5
[matcher.schedule]
steps = 2
batch_size = 2
workers = 0
"""
