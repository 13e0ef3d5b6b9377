"""One opening of a source: a thread that opens it, reads it and closes it, and that can be left behind."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.camera.source import Pace, Shot, Source, SourceEndedError
from edged.errors import EdgedError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPEN_SECONDS: Final = 30.0  # for a source to open; the slowest in practice is a name that cannot be resolved
READ_GRACE_SECONDS: Final = 5.0  # over the timeout that a read was given
CLOSE_SECONDS: Final = 5.0
STOP_CHECK_SECONDS: Final = 0.5
NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Tempo:
    """How a source is read: `interval` gives the seconds between frames now, `stall` are too many without one."""

    interval: Callable[[], float]
    stall: float
    wait_taken: Callable[[float], bool]


class Reader:
    """Reads one source, from opening to closing, in a thread of its own.

    A source may hang in any of its calls: drivers and libraries do. So each has a moment by which it must return;
    whoever watches `overdue_at` leaves the reader behind when that has passed. It then offers nothing any more, and
    still closes the source and ends when its call returns after all.
    """

    def __init__(
        self,
        name: str,
        opener: Callable[[], Source],
        offer: Callable[[Shot, float], None],
        tempo: Tempo,
        on_end: Callable[[], None],
    ) -> None:
        self._opener = opener
        self._offer = offer
        self._tempo = tempo
        self._on_end = on_end
        self._stop = threading.Event()
        self._left = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ended = False
        self.step = "to be opened"
        self.overdue_at = NEVER
        self.error: Exception | None = None  # why it ended, once it has; None when it was told to
        self.trace: str | None = None  # where a surprise came from; it may hold secrets, as `error` may

    def start(self) -> None:
        """Begin. Raises RuntimeError where the system gives no thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        self._stop.set()

    def leave(self) -> None:
        """Do without it: nothing that it still reads is offered."""
        self._left = True
        self._stop.set()

    @property
    def ended(self) -> bool:
        """Whether the source is closed and the thread at its end."""
        return self._ended

    def join(self, timeout: float) -> None:
        """Wait for its end, so long at most."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._read_all()
        except EdgedError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001  one source's surprise must not end anything else
            self.trace = traceback.format_exc()
            self.error = error
        except BaseException as error:  # noqa: BLE001  sys.exit() in a driver's wrapper: a failure like others here
            self.error = SourceError(repr(error))
        finally:
            if self.error is not None:
                self.error.__traceback__ = None  # its frames hold pictures
            self._ended = True
            self._on_end()

    def _read_all(self) -> None:
        with self._due(OPEN_SECONDS, "open"):
            source = self._opener()
        try:
            self._read(source)
        finally:
            with self._due(CLOSE_SECONDS, "close"):
                source.close()

    def _read(self, source: Source) -> None:
        tempo = self._tempo
        due = time.monotonic()
        while not self._stop.is_set():
            if source.pace is Pace.LOCK_STEP:
                if not tempo.wait_taken(STOP_CHECK_SECONDS):
                    continue
            elif source.pace is Pace.ON_DEMAND:
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                if not tempo.wait_taken(STOP_CHECK_SECONDS):  # reading what nobody has time for would only take time
                    continue
                due = max(due + tempo.interval(), time.monotonic())
            with self._due(tempo.stall + READ_GRACE_SECONDS, "give a picture"):
                shot = source.read(tempo.stall)
            now = time.monotonic()
            if source.pace is Pace.LIVE:
                interval = tempo.interval()
                if now < due - interval / 2:  # cameras jitter: one that is a little early is not to be missed
                    continue
                due = max(due + interval, now - interval)
            if not self._left:
                self._offer(shot, now)

    @contextlib.contextmanager
    def _due(self, seconds: float, step: str) -> Iterator[None]:
        self.step = f"{step} within {seconds:g} s"
        self.overdue_at = time.monotonic() + seconds
        try:
            yield
        finally:
            self.overdue_at = NEVER


def is_end(error: Exception | None) -> bool:
    """Whether a reader ended because its source has given all it has."""
    return isinstance(error, SourceEndedError)
