"""Looks on while the daemon works: tells the service manager, watches the heat, ends what only a restart can mend."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.board import ROOT, read_board
from edged.errors import EdgedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.engine.engine import Engine
    from edged.fleet import Fleet
    from edged.heat import HeatGovernor
    from edged.pipeline import Pipeline
    from edged.progress import Progress
    from edged.systemd import Supervisor

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
Flags = tuple[bool | None, bool | None, bool]


class Changed:
    """Something that `health` or systemd tell has changed. For the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: list[asyncio.Event] = []

    def listener(self) -> asyncio.Event:
        """An event of the caller's own, which it clears."""
        event = asyncio.Event()
        self._listeners.append(event)
        return event

    def set(self) -> None:
        """Tell all."""
        for event in self._listeners:
            event.set()


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at, and who is told.

    `on_change` is called when the board's flags of heat and power change; `root` is where /sys and /dev begin.
    """

    supervisor: Supervisor
    progress: Progress
    fleet: Fleet
    heat: HeatGovernor
    pipeline: Pipeline
    engine: Engine
    on_change: Callable[[], None] = lambda: None
    root: Path = ROOT

    @property
    def ready(self) -> bool:
        """Whether the model is loaded, and a camera has given a frame or is being tried again."""
        states = [camera.state.state for camera in self.fleet.cameras.values()]
        begun = not states or any(state != "starting" for state in states)  # none: they are all switched off
        return self.pipeline.classifier is not None and begun

    def status(self) -> str:
        """In words, for `systemctl status`."""
        cameras = {name: camera.state for name, camera in self.fleet.cameras.items()}
        running = sum(state.state == "running" for state in cameras.values())
        engine = self.engine.state()
        device = {"edgetpu": "the Edge TPU", "cpu": "the CPU", None: "nothing yet"}[engine.device]
        said = [f"{running} of {len(cameras)} cameras running, labelled by {device}"]
        said += [f"inference: {engine.reason}"] if engine.reason else []
        said += [f"{name} {state.state}: {state.reason}" for name, state in cameras.items() if state.reason]
        return "; ".join(said)


async def supervise(watched: Watched, changed: asyncio.Event) -> None:
    """Look every few seconds and at every change.

    Raises:
        EdgedError: every camera is stuck in its source, which only a new process can mend.
    """
    supervisor = watched.supervisor
    pause = min(LOOK_SECONDS, (supervisor.watchdog_seconds or LOOK_SECONDS) / 3)
    ready = False
    stuck_before: list[str] = []
    flags_before: Flags | None = None
    while True:
        changed.clear()
        flags = _watch_board(watched.heat, watched.root)
        if flags_before not in {None, flags}:
            watched.on_change()
        flags_before = flags
        stuck = watched.progress.stuck()
        if not stuck:
            supervisor.watchdog()
        elif stuck != stuck_before:
            log.error("no progress any more: %s; the watchdog will end this", ", ".join(stuck))
        stuck_before = stuck
        if watched.fleet.stuck():
            raise EdgedError("every camera is stuck in its source: ending, so as to be started anew")
        if not ready and watched.ready:
            ready = True
            supervisor.ready()
        supervisor.status(watched.status())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await changed.wait()


def _watch_board(heat: HeatGovernor, root: Path) -> Flags:
    """Tell the governor how the board is. Gives what `health` says of it in flags."""
    board = read_board(root)
    heat.step(time.monotonic(), board.temperature_c, board.throttled)
    news = heat.news()
    if news is not None:
        log.log(logging.WARNING if heat.slowed else logging.INFO, "%s", news)
    return board.throttled, board.under_voltage, heat.slowed
