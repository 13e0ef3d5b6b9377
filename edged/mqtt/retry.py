"""When to try again. Pure: endings in, seconds out."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edged.mqtt.ending import Cause

if TYPE_CHECKING:
    from edged.mqtt.ending import Ending

STEADY_S: Final = 30.0
"""A connection that held for so long was a good one: what was wrong before it is over."""
CUT_SHORT_S: Final = 10.0
CUTS_OF_A_TAKEOVER: Final = 3


class Backoff:
    """Delays drawn at random between `least` and a ceiling that doubles from `first` up to `most`, all in seconds.

    At random, so that a thousand devices do not come back at the same instant.
    """

    def __init__(self, *, least: float, first: float, most: float) -> None:
        self._least = least
        self._first = first
        self._most = most
        self._tries = 0

    def next(self) -> float:
        """The delay before the next try, in seconds."""
        # 2.0 ** 1024 overflows: after weeks without a broker the exponent must not be the number of tries.
        ceiling = min(self._most, self._first * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return random.uniform(self._least, max(self._least, ceiling))  # noqa: S311  jitter, not a secret

    def reset(self) -> None:
        """Start small again."""
        self._tries = 0


class Retry:
    """How endings follow each other, and what that says about the next try."""

    def __init__(self) -> None:
        self._quick = Backoff(least=0.2, first=1.0, most=60.0)
        self._fight = Backoff(least=5.0, first=10.0, most=60.0)  # two devices that take one id from each other
        self._refused = Backoff(least=30.0, first=60.0, most=300.0)  # until somebody changes something
        self._cuts = 0

    def judge(self, ending: Ending, client_id: str) -> Ending:
        """The ending, seen in the light of those before it.

        MQTT 3.1.1 has no word for a session that was taken over: the broker just closes the connection, and mosquitto
        2.0.11 (Debian 12) does so in MQTT 5 too. So connections that are closed soon after they began, several times
        in a row, are taken for that.
        """
        cut = ending.closed_by_broker and ending.lasted < CUT_SHORT_S
        if ending.cause is Cause.LOST:
            self._cuts = self._cuts + 1 if cut else 0
        if cut and self._cuts >= CUTS_OF_A_TAKEOVER:
            return replace(ending, cause=Cause.TAKEN_OVER, reason=f"another client seems to use the id {client_id}")
        return ending

    def delay(self, ending: Ending) -> float:
        """Seconds to wait after this ending."""
        if ending.lasted >= STEADY_S:
            self._quick.reset()
            self._fight.reset()
        if ending.lasted:
            self._refused.reset()
        if ending.cause is Cause.REFUSED:
            return self._refused.next()
        if ending.cause is Cause.TAKEN_OVER:
            return self._fight.next()
        return self._quick.next()
