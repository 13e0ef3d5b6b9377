"""What has been present, and when, for as long as the daemon runs and a day at most; the last events.

In memory alone: a daemon writes events to its card until the broker has them, and nothing for people to look at.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from edged.mqtt.event_messages import Happening
from edged.outbox import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edged.mqtt.event_messages import Event
    from edged.outbox import Known

DAY: Final = timedelta(days=1)
MOST_EVENTS: Final = 100
MOST_SPANS: Final = 500
"""Of a label; beyond it the oldest go."""
MOST_LABELS: Final = 200

Key = tuple[str, str]
"""A camera, and a label's text."""


@dataclass(frozen=True, slots=True)
class Span:
    """A label was present from `start` to `end`; None: it still is."""

    start: datetime
    end: datetime | None = None


class History:
    """From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: dict[Key, deque[Span]] = {}
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)

    def happened(self, events: Iterable[Event]) -> None:
        """Something appeared or disappeared, in this order."""
        with self._lock:
            for event in events:
                self._events.append(event)
                key = event.camera, event.label
                if event.event_type is Happening.APPEARED:
                    self._begin(key, event.time)
                else:
                    self._end(key, event.time)

    def agree(self, known: Iterable[Known], now: datetime) -> None:
        """This is present now, and that is not: what was so before the daemon's start, or has no event."""
        states = {(each.camera, each.text): each.state for each in known}
        with self._lock:
            for key, state in states.items():
                if state is State.PRESENT:
                    self._begin(key, now)
            for key in [key for key, spans in self._spans.items() if spans and spans[-1].end is None]:
                if states.get(key) is not State.PRESENT:
                    self._end(key, now)
            self._forget(now - DAY)

    def events(self, most: int = MOST_EVENTS) -> list[Event]:
        """The last ones, the newest first."""
        with self._lock:
            return list(self._events)[::-1][:most]

    def spans(self, since: datetime) -> dict[Key, tuple[Span, ...]]:
        """By camera and label, in that order: what was present since then, oldest first."""
        with self._lock:
            found = {key: tuple(span for span in spans if _touches(span, since)) for key, spans in self._spans.items()}
        return {key: spans for key, spans in sorted(found.items()) if spans}

    def _begin(self, key: Key, time: datetime) -> None:
        spans = self._spans.get(key)
        if spans is None:
            if len(self._spans) >= MOST_LABELS:
                del self._spans[next(iter(self._spans))]
            spans = self._spans[key] = deque(maxlen=MOST_SPANS)
        if not spans or spans[-1].end is not None:
            spans.append(Span(time))

    def _end(self, key: Key, time: datetime) -> None:
        spans: Sequence[Span] = self._spans.get(key, ())
        if spans and spans[-1].end is None:
            last = self._spans[key].pop()
            self._spans[key].append(Span(last.start, max(time, last.start)))  # the clock may have been set back

    def _forget(self, before: datetime) -> None:
        for key, spans in list(self._spans.items()):
            while spans and not _touches(spans[0], before):
                spans.popleft()
            if not spans:
                del self._spans[key]


def _touches(span: Span, since: datetime) -> bool:
    return span.end is None or span.end >= since
