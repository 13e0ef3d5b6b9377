"""Says each thing once, over all connections: as a warning the first time, its repeats as debug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging

MOST: Final = 20
"""Different things that are said: who may publish commands must not be able to fill the log with ever new ones."""


class Once:
    """From any thread: connections that follow each other share it."""

    def __init__(self, logger: logging.Logger, most: int = MOST) -> None:
        self._log = logger
        self._most = most
        self._said: set[tuple[str, str]] = set()

    def warn(self, kind: str, subject: str, text: str) -> None:
        """Say it, unless it was said of this subject before."""
        if (kind, subject) in self._said or len(self._said) > self._most:
            self._log.debug("mqtt: %s", text)
            return
        self._said.add((kind, subject))
        if len(self._said) > self._most:
            text = "more of such warnings are not shown from here on (--log-level debug shows them)"
        self._log.warning("mqtt: %s", text)

    def over(self, kind: str, subject: str, text: str) -> None:
        """What was said of this subject is over: say that, if it was said."""
        if (kind, subject) in self._said:
            self._said.discard((kind, subject))
            self._log.info("mqtt: %s", text)
