"""The stages of training: each takes files and gives files, and goes on where it was stopped."""
