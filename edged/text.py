"""Text for people's terminals."""

from __future__ import annotations


def printable(text: object, *, keep: str = "") -> str:
    """The text with whatever commands a terminal (in file names, in label texts) replaced, but for `keep`."""
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(text))
