"""Text for people's terminals."""

from __future__ import annotations

import signal


def printable(text: object, *, keep: str = "") -> str:
    """The text with whatever commands a terminal (in file names, in label texts) replaced, but for `keep`."""
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def signal_name(number: int) -> str:
    """`SIGKILL`, or `signal 40` for one that has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
