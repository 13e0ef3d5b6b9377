"""Events until a broker has them, and what is present: one SQLite file, `<state>/events.db`.

What has become present, its event and the event's sequence number are one transaction; only then it is published.
An event's row stays until the broker has acknowledged it, and goes with the next transaction.

Written little, since it lies on a memory card: pages are small, a transaction holds all that is there to be written,
removing what was acknowledged rides along, and the last sequence number is in the newest row (and in `numbers` once
that row goes). Write-ahead logging, synchronised at each commit: a power cut takes nothing that was published.

One process at a time has the file: a second one is told that it is locked.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
import uuid
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from edged.mqtt.event_messages import MAX_AGE_S, Event, Lost, event_payload
from edged.updates.clock import BUILT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

MAX_EVENTS: Final = 10_000
_PAGE: Final = 512  # one event alone writes 6 KB; 1024 makes that 7, 4096 17 (scripts/events)
_MANY: Final = 100
KEPT: Final = "[sequence {}]"
"""How the last sequence number is kept: as text that is found even where the file is no database any more."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, number TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, camera TEXT NOT NULL, stored REAL NOT NULL,
    first INTEGER NOT NULL, count INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS presence (
    camera TEXT NOT NULL, slug TEXT NOT NULL, text TEXT NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (camera, slug)
) WITHOUT ROWID;
"""
_COLUMNS: Final = {
    "numbers": "name, number",
    "events": "sequence, camera, stored, first, count, payload",
    "presence": "camera, slug, text, state",
}


def number(kept: str) -> int:
    """The number in it. Raises sqlite3.DatabaseError where it is none."""
    found = re.fullmatch(r"\[sequence ([0-9]{1,15})\]", kept)
    if found is None:
        raise sqlite3.DatabaseError("damaged: the last sequence number is none")
    return int(found[1])


class State(IntEnum):
    """What a retained `present/` topic holds. GONE: nothing any more, as soon as the broker has been told."""

    ABSENT = 0
    PRESENT = 1
    GONE = 2


@dataclass(frozen=True, slots=True)
class Known:
    """A label of a camera whose topic is, or may be, at the broker."""

    camera: str
    slug: str
    text: str
    state: State


@dataclass(frozen=True, slots=True)
class Stored:
    """An event that waits.

    Attributes:
        first, count: the sequence numbers that are not published when this is not: its own, or for a stated loss
            those as well that it speaks of.
    """

    sequence: int
    camera: str
    stored: float
    first: int
    count: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Missed:
    """So many events of a camera could not be written when they were there to be written: they become a `Lost`."""

    camera: str
    count: int


class Outbox:
    """The file. For one thread. Every method raises sqlite3.Error where the file cannot be read or written.

    Args:
        path: of the file; its folder must exist.
        max_events: how many may wait; beyond it the oldest tenth goes, and that is an event itself.
        clock: seconds since 1970.
    """

    def __init__(self, path: Path, *, max_events: int = MAX_EVENTS, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._max_events = max_events
        self._clock = clock
        self.lost = 0  # events, since this was opened
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self._set_up()
        except BaseException:
            self._database.close()
            raise

    def _set_up(self) -> None:
        run = self._database.execute
        run(f"PRAGMA page_size={_PAGE}")
        run("PRAGMA locking_mode=EXCLUSIVE")  # also spares the file of shared memory
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("PRAGMA journal_size_limit=1048576")
        found = [row[0] for row in run("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise sqlite3.DatabaseError(f"damaged: {found[0]}")
        if not run("SELECT 1 FROM sqlite_schema WHERE name='presence'").fetchone():
            with self._transaction():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    run(statement)
        for table, columns in _COLUMNS.items():  # raises where it is some other program's file
            run(f"SELECT {columns} FROM {table} LIMIT 1").fetchone()  # noqa: S608  names of our own
        rows = run("SELECT max(sequence), count(*) FROM events").fetchone()
        kept = run("SELECT number FROM numbers WHERE name='sequence'").fetchone()
        self._inode = self._path.stat().st_ino
        self._count: int = rows[1]
        self._sequence: int = max(rows[0] or 0, number(kept[0]) if kept else 0)

    @property
    def waiting(self) -> int:
        """How many events there are."""
        return self._count

    @property
    def sequence(self) -> int:
        """The last one that an event has."""
        return self._sequence

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def in_place(self) -> bool:
        """Whether the file is still where it was opened, and not taken away, or another one in its place."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def copy_to(self, path: Path) -> None:
        """Write all of it to a file that is not there yet."""
        self._database.execute("VACUUM INTO ?", (str(path),))

    def known(self) -> list[Known]:
        """What is known to be present or absent."""
        rows = self._database.execute("SELECT camera, slug, text, state FROM presence ORDER BY camera, slug")
        states = {int(state): state for state in State}
        return [Known(camera, slug, text, states[state]) for camera, slug, text, state in rows if state in states]

    def restore(self, sequence: int, known: Iterable[Known], events: Sequence[Stored], lost: Sequence[Lost]) -> None:
        """Fill a new file with what an old one held, and state what it held no more."""
        with self._transaction():
            self._sequence = max(sequence, self._sequence)
            self._keep_sequence()
            self._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", [astuple(row) for row in events])
            self._count += len(events)
            self._put(known)
            for loss in lost:
                self._append(loss)

    def after(self, sequence: int, most: int) -> list[Stored]:
        """The oldest events with a higher sequence, in order."""
        rows = self._database.execute(
            "SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, most)
        )
        return [Stored(*row) for row in rows]

    def commit(
        self,
        events: Sequence[Event | Missed],
        known: Collection[Known] = (),
        *,
        forgotten: Collection[tuple[str, str]] = (),
        acknowledged: Collection[int] = (),
        handed_over: int = 0,
    ) -> None:
        """Write all of this, or nothing.

        Args:
            events: get the next sequence numbers.
            known: what is present now.
            forgotten: camera and slug of what the broker does not hold any more.
            acknowledged: sequence numbers of events that the broker has.
            handed_over: events up to this sequence number are on their way, and not dropped.
        """
        count, sequence = self._count, self._sequence
        try:
            # What is only removed may be removed again after a power cut: that costs a duplicate, not an event.
            with self._transaction(durable=bool(events) or bool(known)):
                self._remove(acknowledged)
                for event in events:
                    self._append(event)
                self._put(known)
                self._database.executemany(
                    f"DELETE FROM presence WHERE camera = ? AND slug = ? AND state = {int(State.GONE)}",  # noqa: S608
                    list(forgotten),
                )
                dropped = self._bound(handed_over)
        except BaseException:
            self._count, self._sequence = count, sequence
            raise
        self.lost += dropped

    def _put(self, known: Iterable[Known]) -> None:
        rows = [(each.camera, each.slug, each.text, int(each.state)) for each in known]
        self._database.executemany("INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?)", rows)

    def _remove(self, acknowledged: Collection[int]) -> None:
        if not acknowledged:
            return
        if self._sequence in acknowledged:
            self._keep_sequence()
        rows = [(sequence,) for sequence in acknowledged]
        self._count -= self._database.executemany("DELETE FROM events WHERE sequence = ?", rows).rowcount

    def _keep_sequence(self) -> None:
        kept = KEPT.format(self._sequence)
        self._database.execute("INSERT OR REPLACE INTO numbers VALUES ('sequence', ?)", (kept,))

    def _append(self, event: Event | Lost | Missed) -> None:
        if isinstance(event, Missed):
            first, last = self._sequence + 1, self._sequence + event.count
            event = Lost(event.camera, event.count, first, last, datetime.fromtimestamp(self._clock(), UTC))
            self._sequence = last
        self._sequence += 1
        first, count = self._sequence, 1
        if isinstance(event, Lost):
            first, count = event.first, event.count + 1
        payload = event_payload(event, self._sequence, uuid.uuid4().hex)
        row = (self._sequence, event.camera, self._clock(), first, count, payload)
        self._database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
        self._count += 1

    def _bound(self, handed_over: int) -> int:
        """Drop what is too old, and the oldest of what is too much, with an event that says so for each camera."""
        now = self._clock()
        dropped: list[Stored] = []
        if self._count > self._max_events:
            dropped = self.after(handed_over, max(1, self._max_events // 10) + self._count - self._max_events)
        # A time from before this version was made is one of a clock that was not set, and says nothing.
        floor, ceiling = BUILT.timestamp(), now - MAX_AGE_S
        while eldest := self.after(dropped[-1].sequence if dropped else handed_over, _MANY):
            old = [event for event in eldest if floor <= event.stored < ceiling]
            dropped += old
            if len(old) < _MANY:
                break
        if not dropped:
            return 0
        self._remove([event.sequence for event in dropped])
        losses: dict[str, Lost] = {}
        for event in dropped:
            loss = losses.get(event.camera)
            first = event.first if loss is None else min(loss.first, event.first)
            count = event.count if loss is None else loss.count + event.count
            losses[event.camera] = Lost(event.camera, count, first, event.sequence, datetime.fromtimestamp(now, UTC))
        for loss in losses.values():
            self._append(loss)
        return len(dropped)

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[None]:
        run = self._database.execute
        if not durable:
            run("PRAGMA synchronous=NORMAL")
        run("BEGIN IMMEDIATE")
        try:
            yield
            run("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
                    run("ROLLBACK")
            raise
        finally:
            if not durable:
                run("PRAGMA synchronous=FULL")
