"""Opens the outbox; one that is damaged is read as far as it can be, and set aside as `events.db.damaged`.

The new file takes over what is present, the events that wait, and the last sequence number: from the rows, or from
the text of events that is left anywhere in the old file. For every number that the old file knew of and nobody can
show to be published, there is an event that says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from edged.mqtt.event_messages import Lost
from edged.outbox import MAX_EVENTS, Known, Outbox, State, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_PRIMARY: Final = 0xFF  # of an extended error code
_MAX_BYTES: Final = 64 * 2**20
_MOST_LOST: Final = 2 * MAX_EVENTS
_SEQUENCE: Final = re.compile(rb'"sequence":([0-9]{1,15}),"event_type":"[a-z]+","camera":"([a-z0-9_-]+)"')
_KEPT: Final = re.compile(rb"\[sequence ([0-9]{1,15})\]")
_PAGES: Final = slice(28, 32)  # of the file's first bytes: how many pages it has
_PAGE_SIZE: Final = slice(16, 18)
_COMPANIONS: Final = ("-wal", "-shm", "-journal")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is the file that is wrong, and not the disk or the permission."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & _PRIMARY in _DAMAGED


def open_outbox(path: Path) -> Outbox:
    """The outbox at this place, made or mended where it has to be.

    Raises:
        sqlite3.Error, OSError: the disk is full, this user may not write there, another process has the file, …
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    if new.exists() and not path.exists():  # we were killed just before the last step of `_replace`
        _take_its_place(path, new)
    try:
        return Outbox(path)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        _replace(path, new, str(error))
        return Outbox(path)


def put_back(outbox: Outbox, path: Path) -> Outbox:
    """Somebody has taken the file away while it was open: what it held, in a file at its place, so that numbers go on.

    Raises:
        sqlite3.Error, OSError: as `open_outbox`. What was held is then in `events.db.new`, and found by the next try.
    """
    new = path.with_name(path.name + ".new")
    _unlink(new)
    outbox.copy_to(new)
    outbox.close()
    log.warning("events: %s was taken away while it was in use; it is written anew", path)
    for companion in _COMPANIONS:
        path.with_name(path.name + companion).unlink(missing_ok=True)
    new.replace(path)
    return Outbox(path)


@dataclass(frozen=True, slots=True)
class _Found:
    """What could be read. `numbers` are the sequence numbers that the file has ever heard of, with their camera."""

    known: list[Known]
    events: list[Stored]
    numbers: dict[int, str]
    sequence: int

    def lost(self) -> list[Lost]:
        """A stated loss for each camera; the numbers before the first event that waits were published.

        A number of which nothing is left but its gap counts for the camera of the one before it.
        """
        have = {
            number for event in self.events for number in range(event.sequence - event.count + 1, event.sequence + 1)
        }
        start = min((event.sequence for event in self.events), default=min(self.numbers, default=self.sequence + 1))
        camera = next((self.numbers[number] for number in sorted(self.numbers) if number >= start), None)
        missing: dict[str, list[int]] = {}
        for number in range(max(start, self.sequence - _MOST_LOST), self.sequence + 1):
            camera = self.numbers.get(number, camera)
            if number not in have and camera is not None:
                missing.setdefault(camera, []).append(number)
        now = datetime.now(UTC)
        return [Lost(camera, len(lost), min(lost), max(lost), now) for camera, lost in sorted(missing.items())]


def _replace(path: Path, new: Path, why: str) -> None:
    """Put a new file in the place of a damaged one. A kill at any moment leaves one or the other."""
    found = _read(path)
    lost = found.lost()
    _unlink(new)
    outbox = Outbox(new)
    try:
        outbox.restore(found.sequence, found.known, found.events, lost)
    finally:
        outbox.close()
    damaged = path.with_name(path.name + ".damaged")
    _unlink(damaged)
    path.replace(damaged)
    _take_its_place(path, new)
    log.error(
        "events: %s is damaged (%s) and set aside as %s; the new one has %d events of it and goes on after number %d%s",
        path,
        why,
        damaged.name,
        len(found.events),
        found.sequence,
        f"; {sum(loss.count for loss in lost)} events may be lost" * bool(lost),
    )


def _take_its_place(path: Path, new: Path) -> None:
    # SQLite would replay a log that lies beside a file, whichever file it was written for.
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + companion).replace(path.with_name(path.name + ".damaged" + companion))
    new.replace(path)


def _unlink(path: Path) -> None:
    for name in (path.name, *(path.name + companion for companion in _COMPANIONS)):
        path.with_name(name).unlink(missing_ok=True)


def _read(path: Path) -> _Found:
    raw = b"".join(_bytes(path.with_name(path.name + companion)) for companion in ("", "-wal"))
    numbers = {int(number): camera.decode("ascii") for number, camera in _SEQUENCE.findall(raw)}
    _pad(path, raw)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0.5)) as database:
        with contextlib.suppress(sqlite3.Error):
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
        events = {event.sequence: event for event in map(_event, _rows(database, "events", "sequence")) if event}
        known = {
            (each.camera, each.slug): each for each in map(_known, _rows(database, "presence", "camera, slug")) if each
        }
    sequence = max([*events, *numbers, *map(int, _KEPT.findall(raw))], default=0)
    return _Found([*known.values()], [events[number] for number in sorted(events)], numbers, sequence)


def _pad(path: Path, raw: bytes) -> None:
    """SQLite reads nothing of a file that was cut, though most of it is there: give it the length that it had."""
    size = int.from_bytes(raw[_PAGES], "big") * int.from_bytes(raw[_PAGE_SIZE], "big")
    if raw.startswith(b"SQLite format 3") and path.stat().st_size < size <= _MAX_BYTES:
        os.truncate(path, size)


def _bytes(path: Path) -> bytes:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(_MAX_BYTES)
    return b""


def _rows(database: sqlite3.Connection, table: str, key: str) -> Iterator[tuple[object, ...]]:
    """The rows of a table from its start up to the damage, and from its end back to it."""
    for direction in ("", " DESC"):
        order = ", ".join(column + direction for column in key.split(", "))
        with contextlib.suppress(sqlite3.Error):
            yield from database.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608  names of our own


def _event(row: tuple[object, ...]) -> Stored | None:
    match row:
        case (int(sequence), str(camera), float(stored), int(first), int(count), bytes(payload)):
            return Stored(sequence, camera, stored, first, count, payload)
    return None


def _known(row: tuple[object, ...]) -> Known | None:
    match row:
        case (str(camera), str(slug), str(text), int(state)) if state in tuple(State):
            return Known(camera, slug, text, State(state))
    return None
