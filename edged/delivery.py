"""Hands the outbox's events to the connection: in order, some at a time, and again where the broker refuses them."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from edged.mqtt.event_messages import about_events
from edged.mqtt.outgoing import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.mqtt.messages import Topics
    from edged.outbox import Outbox, Stored

WINDOW: Final = 128
REFUSED_S: Final = 30.0
KEEP_S: Final = 1.0
"""After its acknowledgement an event stays in the file for so long, in case that daemon and broker die together."""


class Delivery:
    """Which events are on their way, and which the broker has. For one thread.

    Args:
        topics: of the device.
        send: hands over a message.
        tell: runs something in this thread, from any other.

    Attributes:
        handed_over: the last event's sequence number that has been handed over.
        refused: whether the broker does not take events.
    """

    def __init__(
        self, topics: Topics, send: Callable[[Message], None], tell: Callable[[Callable[[], None]], None]
    ) -> None:
        self._topics = topics
        self._about = about_events(topics.device)
        self._send = send
        self._tell = tell
        self.handed_over = 0
        self.refused = False
        self._under_way: set[int] = set()
        self._acknowledged: dict[int, float] = {}  # when
        self._news: deque[int] = deque()  # acknowledged; the network's thread appends, this one takes out
        self._wait_until = 0.0
        self._now = 0.0

    @property
    def under_way(self) -> int:
        """How many events the broker has not acknowledged yet."""
        return len(self._under_way)

    @property
    def acknowledged(self) -> int:
        """How many events are kept only in case that the broker dies now."""
        return len(self._acknowledged)

    def feed(self, outbox: Outbox, now: float) -> None:
        """Hand over what there is room for. Raises sqlite3.Error."""
        self._now = now
        self._collect()
        if now < self._wait_until:
            return
        while self.handed_over < outbox.sequence and len(self._under_way) <= WINDOW // 2:
            events = outbox.after(self.handed_over, WINDOW // 2)
            for event in events:
                self.handed_over = event.sequence
                if event.sequence not in self._under_way and event.sequence not in self._acknowledged:
                    self._under_way.add(event.sequence)
                    self._send(self._message(event))
            if not events:
                return

    def removable(self, now: float, *, least_age: float = KEEP_S) -> list[int]:
        """What the broker has had for so long that it need not be sent again. Until `removed`."""
        old = takewhile(
            lambda item: now - item[1] >= least_age, self._acknowledged.items()
        )  # in the order of their time
        return [sequence for sequence, _ in old]

    def removed(self, sequences: list[int]) -> None:
        """These are not in the outbox any more."""
        for sequence in sequences:
            del self._acknowledged[sequence]

    def _message(self, event: Stored) -> Message:
        return Message(
            self._topics.events(event.camera),
            event.payload,
            qos=1,
            retain=False,
            acknowledged=partial(self._has, event.sequence),
            refused=partial(self._tell, partial(self._refuses, event.sequence)),
            durable=True,
            about=self._about,
        )

    def _has(self, sequence: int) -> None:
        """In the network's thread, which is not to wake another one for each of them."""
        self._news.append(sequence)
        if len(self._news) % (WINDOW // 4) == 0:
            self._tell(self._collect)

    def _collect(self) -> None:
        while self._news:
            sequence = self._news.popleft()
            if sequence in self._under_way:
                self._under_way.remove(sequence)
                self._acknowledged[sequence] = self._now
                self.refused = False

    def _refuses(self, sequence: int) -> None:
        """Not now: it, and those after it, are handed over again after a while."""
        if sequence in self._under_way:
            self._under_way.remove(sequence)
            self.handed_over = min(self.handed_over, sequence - 1)
            self._wait_until = self._now + REFUSED_S
            self.refused = True
