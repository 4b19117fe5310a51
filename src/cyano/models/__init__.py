"""The networks: SuperPoint, SuperGlue and the optimal transport between them.

Torch modules and pure functions on tensors; no files, no images, no numpy. Parameters carry the names of Hugging
Face's checkpoints, so a state dict is a checkpoint without translation.
"""
