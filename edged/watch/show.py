"""The terminal: drawn four times a second, or written to line by line."""

from __future__ import annotations

import queue
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live

from edged.watch.device_lines import Screen
from edged.watch.devices import Devices
from edged.watch.keyboard import keyboard
from edged.watch.lines import changes, link_line
from edged.watch.listener import Listener
from edged.watch.screen import draw

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edged.config.mqtt import MqttConfig
    from edged.watch.devices import Device
    from edged.watch.listener import Link
    from edged.watch.reports import Report
    from edged.watch.topic import Address

FRAME_S: Final = 0.25
MOST_LINES: Final = 10_000  # that wait for whoever reads them; a line too many is counted and dropped


def can_draw() -> bool:
    """Whether standard output is a terminal that can move its cursor."""
    console = Console()
    return console.is_terminal and not console.is_dumb_terminal


def show_screen(config: MqttConfig, pattern: str, seconds: float | None) -> bool:
    """Draw until `q`, Ctrl-C, or so many seconds are over. Whether there was a connection."""
    devices = Devices(pattern)
    listener = Listener(config, devices)
    console = Console(highlight=False)
    first, end = 0, None if seconds is None else time.monotonic() + seconds
    listener.start()
    try:
        with keyboard() as keys, Live(console=console, screen=True, auto_refresh=False, transient=True) as live:
            while end is None or time.monotonic() < end:
                now = time.monotonic()
                size = console.size
                screen = Screen(size.width, size.height, now, console.encoding, f"{datetime.now():%H:%M:%S}", first)  # noqa: DTZ005
                live.update(_group(devices, listener, screen), refresh=True)
                key = keys.key(FRAME_S)
                if key == "quit":
                    break
                first = _scrolled(first, key, size.height)
                if listener.fault is not None:
                    raise listener.fault
    finally:
        listener.stop()
    return listener.link.connects > 0


def show_lines(config: MqttConfig, pattern: str, seconds: float | None) -> bool:
    """Write a line for each change until Ctrl-C, or so many seconds are over. Whether there was a connection."""
    lines = _Lines()
    listener = Listener(config, Devices(pattern, lines.told), lines.linked)
    end = None if seconds is None else time.monotonic() + seconds
    listener.start()
    try:
        while end is None or time.monotonic() < end:
            lines.write(FRAME_S)
            if listener.fault is not None:
                raise listener.fault
    finally:
        listener.stop()
    return listener.link.connects > 0


class _Lines:
    """From the listener's thread to standard output. Bounded: a reader that is slow misses lines, and is told so."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue(MOST_LINES)
        self._missed = 0

    def told(self, before: Device | None, after: Device, address: Address, report: Report) -> None:
        for line in changes(before, after, address, report):
            self._put(line)

    def linked(self, link: Link) -> None:
        self._put(link_line(link))

    def write(self, seconds: float) -> None:
        """What waits, or comes within so many seconds."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return
        encoding = sys.stdout.encoding
        sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        if self._lines.empty():
            sys.stdout.flush()

    def _put(self, line: str) -> None:
        missed = f"{self._missed} lines are missing here, as nobody read them in time; " if self._missed else ""
        try:
            self._lines.put_nowait(f"{datetime.now():%H:%M:%S}  {missed}{line}")  # noqa: DTZ005  the user's own time
            self._missed = 0
        except queue.Full:
            self._missed += 1


def _group(devices: Devices, listener: Listener, screen: Screen) -> RenderableType:
    return Group(*draw(devices.view(), listener.link, screen))


def _scrolled(first: int, key: str | None, height: int) -> int:
    step = {"up": -1, "down": 1, "page up": -height // 2, "page down": height // 2, "top": -first}.get(key or "", 0)
    return max(0, first + step)
