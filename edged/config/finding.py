"""One thing that is wrong with a configuration, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One error.

    Attributes:
        file: the configuration's name, as the user gave it.
        line: counted from 1; None when it is about the file as a whole.
        key: the path of the key, such as `cameras.porch.masks[0]`; empty when it is about the file's form.
        message: what is wrong, and in brackets what is allowed.
    """

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.message) if part)

    @property
    def place(self) -> str:
        """`FILE:LINE`, as editors and terminals understand it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"
