"""What became of one picture of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from edged.classifier import Classification
    from edged.errors import EdgedError
    from edged.labeling.label import Label

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The labels of a picture, or why there are none.

    Attributes:
        image: what was given for the picture, such as its path.
        classification: its labels, and where and in what time they were found; None where `error` is set.
        error: what is wrong with this picture; its text names the file.
    """

    image: T
    classification: Classification | None = None
    error: EdgedError | None = None

    @property
    def labels(self) -> tuple[Label, ...]:
        """Best first; none where `error` is set."""
        return self.classification.labels if self.classification else ()
