"""From results to events: a thread that knows what is present, writes down what changes, and has it published.

events = Events(client, config.state, config.cameras, changed)
tasks.create_task(in_thread(events.run, "events"))
events.use(classifier.slugs, classifier.ref); events.offer(result, captured)      # from any thread; never waits
await events.stop()

A change is written first (outbox.py), then published. Where it cannot be written, the daemon labels on, `present/` is
right nonetheless, `health` has the reason, and the events wait in memory.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.delivery import Delivery
from edged.inbox import Inbox
from edged.ledger import Ledger
from edged.mqtt.messages import EventsHealth
from edged.outbox import Missed, Outbox
from edged.outbox_file import is_damage, open_outbox, put_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edged.config import CameraConfig
    from edged.labeling.label import ModelRef, Result
    from edged.mqtt.client import MqttClient
    from edged.mqtt.event_messages import Event
    from edged.outbox import Known

log = logging.getLogger(__name__)

FILE: Final = "events.db"
TICK_S: Final = 0.5
RETRY_S: Final = 2.0
MAX_UNWRITTEN: Final = 1000
MANY_UNWRITTEN: Final = 200
MANY_REMOVABLE: Final = 100  # so many are removed at once, fewer together with the next event
_LAST_WORDS_S: Final = 0.5  # how long the broker may take at the end to acknowledge what is on its way
_STOP_S: Final = 1.0


class Events:
    """The thread's work, and what other threads tell it.

    Args:
        mqtt: the way out.
        state: the state folder; it need not exist.
        cameras: what each of them watches.
        on_change: called, in the thread, when `health` says something else.

    Attributes:
        told: called, in the thread, with the events that have just been written; must not block.
    """

    def __init__(
        self, mqtt: MqttClient, state: Path, cameras: Mapping[str, CameraConfig], on_change: Callable[[], None]
    ) -> None:
        self._path = state / FILE
        self._on_change = on_change
        self.told: Callable[[Sequence[Event]], None] = lambda _: None
        self._inbox: Inbox[Callable[[], None]] = Inbox()
        self._delivery = Delivery(mqtt.topics, mqtt.send, self._inbox.put)
        self._ledger = Ledger(mqtt.topics, mqtt.send, self._inbox.put, cameras)
        self._outbox: Outbox | None = None
        self._unwritten: deque[Event] = deque()
        self._missed: Counter[str] = Counter()  # by camera
        self._trouble: str | None = None
        self._retry_at = 0.0
        self._lost = 0
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._health = EventsHealth()

    def offer(self, result: Result, captured: float) -> None:
        """A frame has been labelled; `captured` is its monotonic time."""
        self._inbox.put(partial(self._result, result, captured), droppable=True)

    def stands(self, camera: str, captured: float) -> None:
        """A frame is like the last labelled one."""
        self._inbox.put(partial(self._stands, camera, captured), droppable=True)

    def use(self, slugs: Mapping[str, str], model: ModelRef) -> None:
        """This model labels from now on; `slugs` by text."""
        self._inbox.put(lambda: self._note(self._ledger.use(slugs, model, time.monotonic())))

    def apply(self, cameras: Mapping[str, CameraConfig]) -> None:
        """These are the cameras from now on."""
        self._inbox.put(lambda: self._note(self._ledger.apply(cameras, time.monotonic())))

    def watched(self) -> tuple[Known, ...] | None:
        """The labels that are watched, and have a topic; None before a model labels. From any thread."""
        return self._ledger.watched

    def health(self) -> EventsHealth:
        """How it is now."""
        return self._health

    async def stop(self) -> None:
        """Write what there is, and let `run` return: within a second, whatever disk and broker do."""
        self._stopping.set()
        self._inbox.close()
        for _ in range(round(_STOP_S / 0.02)):
            if self._ended.is_set():
                return
            await asyncio.sleep(0.02)

    def run(self) -> None:
        """Until `stop`."""
        try:
            self._begin()
            while not self._stopping.is_set():
                self._turn(TICK_S)
            self._end()
        finally:
            self._ended.set()

    def _begin(self) -> None:
        if self._ledger.watches or self._path.exists():  # else not even a file is made
            self._guarded(self._open, time.monotonic())
        self._settle(time.monotonic())

    def _turn(self, seconds: float) -> None:
        for item in self._inbox.take(seconds):
            item()
            if len(self._unwritten) >= MANY_UNWRITTEN:
                self._settle(time.monotonic())
        now = time.monotonic()
        self._note(self._ledger.tick(now, datetime.now(UTC)))
        self._settle(now)

    def _end(self) -> None:
        self._turn(0)
        patience = time.monotonic() + _LAST_WORDS_S
        while self._delivery.under_way and time.monotonic() < patience and not self._delivery.refused:
            time.sleep(0.01)
            self._turn(0)
        self._settle(time.monotonic(), last=True)
        if self._outbox is not None:
            self._outbox.close()

    def _result(self, result: Result, captured: float) -> None:
        self._note(self._ledger.result(result, captured))

    def _stands(self, camera: str, captured: float) -> None:
        self._note(self._ledger.stands(camera, captured, datetime.now(UTC)))

    def _note(self, events: list[Event]) -> None:
        self._unwritten += events

    def _bound(self) -> None:
        """What cannot be written must not fill the memory."""
        while len(self._unwritten) > MAX_UNWRITTEN:
            self._missed[self._unwritten.popleft().camera] += 1

    def _settle(self, now: float, *, last: bool = False) -> None:
        """Write, then publish."""
        self._guarded(partial(self._write, now, last=last), now)
        self._bound()
        self._ledger.publish()
        if self._outbox is not None:
            self._guarded(partial(self._feed, now), now)
        self._say()

    def _write(self, now: float, *, last: bool) -> None:
        removable = self._delivery.removable(now, least_age=0.0) if last else self._delivery.removable(now)
        news = self._unwritten or self._missed or self._ledger.unwritten or self._ledger.cleared
        if not (news or len(removable) >= MANY_REMOVABLE or (last and removable)) or now < self._retry_at:
            return
        outbox = self._outbox or self._open()
        if not outbox.in_place():
            self._lost += outbox.lost
            outbox = self._outbox = put_back(outbox, self._path)
        events: list[Event | Missed] = [Missed(camera, count) for camera, count in self._missed.items()]
        events += self._unwritten
        unwritten, cleared = self._ledger.unwritten, self._ledger.cleared
        outbox.commit(
            events,
            list(unwritten.values()),
            forgotten=cleared,
            acknowledged=removable,
            handed_over=self._delivery.handed_over,
        )
        written = list(self._unwritten)
        self._unwritten.clear()
        self._lost += self._missed.total()
        self._missed.clear()
        self._ledger.written()
        self._delivery.removed(removable)
        if written:
            self.told(written)
        if self._trouble is not None:
            log.info("events: written again")
            self._trouble = None

    def _feed(self, now: float) -> None:
        if self._outbox is not None:
            self._delivery.feed(self._outbox, now)

    def _open(self) -> Outbox:
        self._outbox = open_outbox(self._path)
        self._note(self._ledger.recall(self._outbox.known()))
        return self._outbox

    def _guarded(self, step: Callable[[], object], now: float) -> None:
        """Do something with the file; where that cannot be done, say so and try again later."""
        try:
            step()
        except (sqlite3.Error, OSError) as error:
            damaged = isinstance(error, sqlite3.Error) and is_damage(error)
            text = f"{self._path}: {error}; events wait in memory until it can be written"
            first = self._trouble is None
            level = logging.WARNING if first and not damaged else logging.DEBUG
            log.log(level, "events: %s", text)
            self._trouble = text
            if self._outbox is not None:
                self._lost += self._outbox.lost
                self._outbox.close()
                self._outbox = None
            self._retry_at = now if first and damaged else now + RETRY_S

    def _say(self) -> None:
        before, outbox = self._health, self._outbox
        reason = "the broker does not take events: does its ACL allow them?" if self._delivery.refused else None
        self._health = EventsHealth(
            waiting=len(self._unwritten) + (0 if outbox is None else outbox.waiting - self._delivery.acknowledged),
            lost=self._lost + (0 if outbox is None else outbox.lost) + self._missed.total(),
            reason=self._trouble or reason,
        )
        if (before.lost, before.reason) != (self._health.lost, self._health.reason):
            self._on_change()
