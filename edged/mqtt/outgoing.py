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
# A broker that dies may take along what it has acknowledged a moment ago (mosquitto writes its database every 30
# minutes, if at all): durable messages that young are sent again on the next connection.
YOUNG_S: Final = 5.0
MAX_YOUNG: Final = 1000
_OVERHEAD: Final = 200  # bytes of a Message and its place in the queue, so that many tiny ones are bounded too


@dataclass(frozen=True, slots=True)
class About:
    """What MQTT 5 says with a message: seconds after which nobody wants it any more, its media type, and pairs.

    `correlation`: of an answer, what its question carried.
    """

    expiry_s: int | None = None
    content_type: str | None = None
    user: tuple[tuple[str, str], ...] = ()
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to publish.

    Attributes:
        acknowledged: called on the network thread: QoS 1 when the broker has it. Of a durable one perhaps again.
        refused: called in its place when the broker does not take it (MQTT 5); None: `acknowledged` is.
        durable: not retained, and never dropped: who puts it bounds how many there are.
        about: for MQTT 5; left out in 3.1.1.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    acknowledged: Callable[[], None] | None = None
    refused: Callable[[], None] | None = None
    durable: bool = False
    about: About | None = None

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
    - Durable messages are sent in order, and none is dropped. Those that a broker has acknowledged just before its
      connection ended are sent once more on the next one.
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
        self._durable: deque[_Waiting] = deque()
        self._young: deque[tuple[float, Message]] = deque(maxlen=MAX_YOUNG)  # durable, acknowledged at that time
        self._state: dict[str, Message] = {}  # in the order in which the topics were first set
        self._state_waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._order = 0
        self._ended: float | None = None  # when the last connection did; a failed attempt after it is none
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._passing) + len(self._durable) + len(self._state_waiting)

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
            if message.durable:
                self._durable.append(waiting)
                return
            self._passing.append(waiting)
            self._passing_bytes += message.size
            self._prune(waiting.since)

    def take(self) -> Message | None:
        """The next message to send, or None."""
        with self._lock:
            self._prune(time.monotonic())
            state = next(iter(self._state_waiting.values()), None)
            durable = self._durable[0] if self._durable else None
            passing = self._passing[0] if self._passing else None
            first = min(filter(None, (state, durable, passing)), key=lambda waiting: waiting.order, default=None)
            if first is None:
                return None
            if first is state:
                self._state_waiting.popitem(last=False)
            elif first is durable:
                self._durable.popleft()
            else:
                self._passing.popleft()
                self._passing_bytes -= first.message.size
            return first.message

    def acknowledged(self, message: Message) -> None:
        """The broker has this one."""
        if message.durable:
            with self._lock:
                self._young.append((time.monotonic(), message))
        elif message.retain and not message.payload:  # the broker has forgotten the topic, and so does this
            with self._lock:
                if self._state.get(message.topic) is message:
                    del self._state[message.topic]

    def renew(self) -> None:
        """There is a new connection: everything retained goes first, in the order in which it was first set.

        Then what the last connection has brought to the broker just before it ended.
        """
        with self._lock:
            now = time.monotonic()
            ended = now if self._ended is None else self._ended
            young = [message for since, message in self._young if since >= ended - YOUNG_S]
            self._young.clear()
            self._ended = None
            self._durable.extendleft(_Waiting(message, 0, now) for message in reversed(young))
            self._state_waiting = OrderedDict(
                (topic, _Waiting(message, 0, now)) for topic, message in self._state.items()
            )

    def repeat(self) -> None:
        """Everything retained once more, after what waits already."""
        with self._lock:
            now = time.monotonic()
            for topic, message in self._state.items():
                self._order += 1
                self._state_waiting.setdefault(topic, _Waiting(message, self._order, now))

    def give_back(self, messages: Iterable[Message]) -> None:
        """A connection has ended: put what it took and did not get out at the front again.

        Whoever left QoS 0 half written has not delivered it, so none comes twice; QoS 1 may, as it says of itself.
        """
        with self._lock:
            now = time.monotonic()
            self._ended = now if self._ended is None else self._ended
            for message in reversed(list(messages)):
                if message.retain:
                    continue  # `renew` sends the newest of its topic
                if message.durable:
                    self._durable.appendleft(_Waiting(message, 0, now))
                    continue
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
