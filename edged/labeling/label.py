"""What comes out: a label, and the result of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that the model sees.

    Attributes:
        text: what it is called, as the model's label file says.
        confidence: in [0, 1].
        index: the class in the model's output.
    """

    text: str
    confidence: float
    index: int


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model made a result: its name, version, and digest (`sha256:…`)."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Where one frame's time went, in milliseconds. `total` runs from the frame's capture to its labels."""

    preprocess: float
    inference: float
    total: float


@dataclass(frozen=True, slots=True)
class Result:
    """The labels of one frame of one camera, best first."""

    camera: str
    time: datetime
    frame: int
    labels: tuple[Label, ...]
    model: ModelRef
    device: str
    timing: Timing
