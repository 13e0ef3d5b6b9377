"""What is still to be done to a model's output to make it confidences."""

from __future__ import annotations

from enum import StrEnum


class Activation(StrEnum):
    """What a model leaves to whoever reads its output."""

    NONE = "none"  # its scores are confidences as they are
    SOFTMAX = "softmax"  # one class of all
    SIGMOID = "sigmoid"  # each class by itself
