"""Kernels in C++ for what torch computes slowly on a CPU. Whatever they compute, a torch path computes as well."""
