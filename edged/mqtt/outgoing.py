"""What waits to be sent, bounded: paho's own queue drops the newest, and has no bound at all for QoS 0."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_MESSAGES: Final = 1000
MAX_BYTES: Final = 4 * 1024 * 1024
# A label is about now. One that waited longer would make someone's light go on for a cat that is long gone; one that
# waited less closes the gap of a broker's restart. Measured on the monotonic clock.
STALE_S: Final = 10.0
_OVERHEAD: Final = 200  # bytes of a Message and its place in the queue, so that many tiny ones are bounded too


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to publish. `acknowledged` is called on the network thread: QoS 1 when the broker has it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    acknowledged: Callable[[], None] | None = None

    @property
    def size(self) -> int:
        """About the memory it holds, in bytes."""
        return len(self.payload) + len(self.topic) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    order: int
    since: float


class Outgoing:
    """The queue between any thread that publishes and the one thread that sends. Never blocks for long, never raises.

    - Retained messages are state: of each topic only the newest is kept, for ever, and all of them are sent again on
      every connection (`renew`), so that they are right after a broker lost its database.
    - The others are sent in order. Beyond the bounds the oldest are dropped; QoS 0 ones also when they are stale.
    """

    def __init__(
        self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES, stale_s: float = STALE_S
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._stale_s = stale_s
        self._lock = threading.Lock()
        self._passing: deque[_Waiting] = deque()
        self._passing_bytes = 0
        self._state: dict[str, Message] = {}  # in the order in which the topics were first set
        self._state_waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._order = 0
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._passing) + len(self._state_waiting)

    @property
    def dropped(self) -> int:
        """How many messages will never be sent."""
        return self._dropped

    def put(self, message: Message) -> None:
        """Add a message, at the expense of the oldest if there is no room."""
        with self._lock:
            self._order += 1
            waiting = _Waiting(message, self._order, time.monotonic())
            if message.retain:
                self._state[message.topic] = message
                earlier = self._state_waiting.get(message.topic)
                # Takes the earlier one's place in the line: a state that changes often must not wait for ever.
                order = waiting.order if earlier is None else earlier.order
                self._state_waiting[message.topic] = _Waiting(message, order, waiting.since)
                return
            self._passing.append(waiting)
            self._passing_bytes += message.size
            self._prune(waiting.since)

    def take(self) -> Message | None:
        """The next message to send, or None."""
        with self._lock:
            self._prune(time.monotonic())
            first = next(iter(self._state_waiting.values()), None)
            if first is not None and (not self._passing or first.order < self._passing[0].order):
                self._state_waiting.popitem(last=False)
                return first.message
            if not self._passing:
                return None
            message = self._passing.popleft().message
            self._passing_bytes -= message.size
            return message

    def renew(self) -> None:
        """There is a new connection: everything retained goes first, in the order in which it was first set."""
        with self._lock:
            now = time.monotonic()
            self._state_waiting = OrderedDict(
                (topic, _Waiting(message, 0, now)) for topic, message in self._state.items()
            )

    def give_back(self, messages: Iterable[Message]) -> None:
        """Put what a connection took and did not get out at the front again.

        Whoever left QoS 0 half written has not delivered it, so none comes twice; QoS 1 may, as it says of itself.
        """
        with self._lock:
            now = time.monotonic()
            for message in reversed(list(messages)):
                if message.retain:
                    continue  # `renew` sends the newest of its topic
                self._passing.appendleft(_Waiting(message, 0, now))
                self._passing_bytes += message.size
            self._prune(now)

    def _prune(self, now: float) -> None:
        while self._passing and (
            len(self._passing) > self._max_messages
            or self._passing_bytes > self._max_bytes
            or (self._passing[0].message.qos == 0 and now - self._passing[0].since > self._stale_s)
        ):
            self._passing_bytes -= self._passing.popleft().message.size
            self._dropped += 1
