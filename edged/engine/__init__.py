"""Inference in a process of its own, so that a crash or a hang costs frames and not the daemon."""
