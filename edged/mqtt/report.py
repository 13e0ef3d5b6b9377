"""What the log says of the connection: each trouble once as a warning, its repeats as debug, its end as one line."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from edged.mqtt.ending import Cause
from edged.mqtt.retry import STEADY_S

if TYPE_CHECKING:
    from edged.config.addresses import Server
    from edged.mqtt.ending import Ending
    from edged.mqtt.transport import Version

_MOST: Final = 20  # different troubles said in one outage: a broker that words each refusal anew must not fill the log


def describe(address: Server, ending: Ending) -> str:
    """The ending as a sentence that says what was wrong, where, and what to do."""
    match ending.cause:
        case Cause.TAKEN_OVER:
            return f"{ending.reason} at {address}: give one of the two devices another `device:` name"
        case Cause.LOST:
            return f"connection to {address} lost: {ending.reason}"
        case Cause.STOPPED:
            return ending.reason
        case _:
            return f"no connection to {address}: {ending.reason}"


class Report:
    """Writes the lines."""

    def __init__(self, logger: logging.Logger) -> None:
        self._log = logger
        self._said: set[str] = set()
        self._news = True

    def trouble(self, ending: Ending, text: str) -> None:
        """A connection, or an attempt, has ended like that."""
        if ending.cause is Cause.STOPPED:
            return
        if ending.lasted >= STEADY_S:
            self._said.clear()
        new = text not in self._said and len(self._said) < _MOST
        self._log.log(logging.WARNING if new else logging.DEBUG, "mqtt: %s", text)
        if new:
            self._said.add(text)
            self._news = True

    def connected(self, address: Server, version: Version) -> None:
        """There is a connection: worth a line the first time, and after something new was wrong."""
        level = logging.INFO if self._news else logging.DEBUG
        self._log.log(level, "mqtt: connected to %s (MQTT %s)", address, version)
        self._news = False
