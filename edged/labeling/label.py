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
        text: what it is called, as the model's label file says, or its groups.
        confidence: in [0, 1].
        index: the class in the model's output; for a group, its most probable class.
        member: which of the package's models sees it; None for the first.
    """

    text: str
    confidence: float
    index: int
    member: str | None = None

    def to_plain(self) -> dict[str, str | float | int]:
        """As it is in JSON: the confidence with four decimals, the member only where there is one."""
        plain: dict[str, str | float | int] = {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "index": self.index,
        }
        if self.member is not None:
            plain["member"] = self.member
        return plain


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
    """The labels of one frame of one camera, best first.

    `watched`: labels that are looked for besides, for presence; in any order, a text may be there more than once.
    """

    camera: str
    time: datetime
    frame: int
    labels: tuple[Label, ...]
    model: ModelRef
    device: str
    timing: Timing
    watched: tuple[Label, ...] = ()
