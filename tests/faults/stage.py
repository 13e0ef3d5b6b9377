"""A daemon with two cameras, and what can be done to it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TypeVar

from faults.scene import START_SECONDS, Arrivals
from support.daemon import Daemon
from support.videos import write_video

if TYPE_CHECKING:
    from contextlib import AbstractContextManager, ExitStack
    from pathlib import Path

    from support.mosquitto import Mosquitto

Part = TypeVar("Part")


class Stage:
    """A daemon that has not been started, its broker, and two cameras: photos `a` and a short film `b`, in a loop."""

    def __init__(self, folder: Path, broker: Mosquitto, photos: Path, stack: ExitStack) -> None:
        self.folder, self.broker, self.photos = folder, broker, photos
        self.film = write_video(folder / "film.mp4")
        self._stack = stack
        self.arrivals = self.enter(Arrivals(broker.port))
        self.daemon = self.make_daemon(folder)

    def make_daemon(self, folder: Path, more: str = "") -> Daemon:
        cameras = f"  a: {{source: {self.photos}, fps: 20}}\n  b: {{source: {self.film}, fps: 10, stall: 1s}}\n"
        self.daemon = Daemon(folder, self.broker.port, cameras, more=more)
        return self.daemon

    def enter(self, part: AbstractContextManager[Part]) -> Part:
        """Have it last until the test's end."""
        return self._stack.enter_context(part)

    def start(self) -> Daemon:
        """Start the daemon, and wait until it labels both cameras."""
        daemon = self.enter(self.daemon)
        self.arrivals.wait_until_labelled("ab", time.monotonic(), START_SECONDS)
        return daemon

    def stick(self) -> None:
        """Have the film's camera stuck where it opens its file anew: a pipe that nobody writes to."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        pipe.replace(self.film)
        time.sleep(1)

    def unstick(self) -> None:
        """Let the call return, and the film be there again."""
        pipe = self.film.rename(self.folder / "pipe")
        write_video(self.film)
        os.close(os.open(pipe, os.O_RDWR))
