"""What was found of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem", "absent"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is, such as `libedgetpu` or `camera porch`.
        state: `problem`: something does not work; `warning`: it works, and badly or not for long; `absent`: it is not
            there and need not be.
        text: what was found.
        cure: what to do about it, a command where one does it, perhaps in several lines; None where nothing is to do.
    """

    name: str
    state: State
    text: str
    cure: str | None = None

    @property
    def wants_action(self) -> bool:
        """Whether somebody should do something about it."""
        return self.state in {"warning", "problem"}
