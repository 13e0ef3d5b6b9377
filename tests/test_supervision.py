"""The daemon under a service manager: a real socket that listens as systemd does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest
from support.daemon import Daemon, wait_for_labels
from support.machine import Tree
from support.mosquitto import soon, until

from edged import supervision
from edged.camera.newest import Newest
from edged.config import HeatConfig
from edged.engine.engine import Engine, EngineOptions
from edged.fleet import Fleet
from edged.heat import HeatGovernor
from edged.pipeline import Pipeline
from edged.progress import Progress
from edged.supervision import Watched, supervise
from edged.systemd import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto, Subscriber

START_SECONDS = 10.0


class Manager:
    """Listens on a notify socket, as systemd does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._heard: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(2)
        self._socket.close()

    def _listen(self) -> None:
        while data := self._socket.recv(4096):
            self._heard += [(time.monotonic(), line) for line in data.decode().splitlines()]

    def said(self, line: str, since: float = 0.0) -> int:
        """How often."""
        return sum(text.startswith(line) and when >= since for when, text in list(self._heard))


@pytest.fixture
def watchdog(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


def watched(watchdog: Manager, daemon: Daemon) -> Daemon:
    """Start it as systemd would. Not with the test's own environment: mosquitto speaks to systemd too."""
    daemon.environment = {"NOTIFY_SOCKET": str(watchdog.path), "WATCHDOG_USEC": "1500000"}
    return daemon


def test_ready_comes_after_the_first_frame_and_status_says_what_is(
    watchdog: Manager, tmp_path: Path, broker: Mosquitto, photos: Path
) -> None:
    with watchdog, watched(watchdog, Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 5}}")) as daemon:
        until(lambda: watchdog.said("READY=1") == 1, START_SECONDS)
        assert "labelling a" in daemon.log
        until(lambda: watchdog.said("STATUS=1 of 1 cameras running, labelled by the CPU") > 0, START_SECONDS)
        until(lambda: watchdog.said("WATCHDOG=1") > 3, START_SECONDS)
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: watchdog.said("RELOADING=1") == 1 and watchdog.said("READY=1") == 2)
        assert daemon.stop() == 0
        until(lambda: watchdog.said("STOPPING=1") == 1)


def test_ready_comes_with_a_source_that_is_retrying_and_the_reason_is_in_the_status(
    watchdog: Manager, tmp_path: Path, broker: Mosquitto
) -> None:
    with watchdog, watched(watchdog, Daemon(tmp_path, broker.port, "  a: {source: /no/such/folder, fps: 5}")) as daemon:
        until(lambda: watchdog.said("READY=1") == 1, START_SECONDS)
        until(lambda: watchdog.said("STATUS=0 of 1 cameras running, labelled by the CPU; a retrying: /no") > 0)
        assert daemon.stop() == 0


def test_a_reload_before_it_is_ready_does_not_make_it_so(
    watchdog: Manager, tmp_path: Path, broker: Mosquitto, photos: Path
) -> None:
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 2\nexec {sys.executable} "$@"\n', "utf-8")
    slow.chmod(0o755)
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 5}}")
    text = daemon.config.read_text("utf-8").replace("threads: 1", f"threads: 1, python: {slow}")
    daemon.config.write_text(text, "utf-8")
    with watchdog, watched(watchdog, daemon):
        until(lambda: watchdog.said("STATUS=") > 0, START_SECONDS)
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "reload: no camera has changed" in daemon.log)
        until(lambda: watchdog.said("READY=1") > 0, START_SECONDS)
        assert "labelling a" in daemon.log
        assert watchdog.said("RELOADING=1") == 0
        assert daemon.stop() == 0
        assert watchdog.said("READY=1") == 1


def test_the_watchdog_hears_nothing_from_a_daemon_that_is_stopped(
    watchdog: Manager, tmp_path: Path, broker: Mosquitto, photos: Path
) -> None:
    with watchdog, watched(watchdog, Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 5}}")) as daemon:
        until(lambda: watchdog.said("WATCHDOG=1") > 0, START_SECONDS)
        daemon.process.suspend()
        time.sleep(0.2)
        since = time.monotonic()
        time.sleep(2)
        assert watchdog.said("WATCHDOG=1", since) == 0
        daemon.process.resume()
        until(lambda: watchdog.said("WATCHDOG=1", since) > 0)
        assert daemon.stop() == 0


def test_the_watchdog_hears_nothing_while_the_pipeline_is_stuck_and_its_end_shows_where(
    watchdog: Manager, tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, photos: Path
) -> None:
    fifo = tmp_path / "never"
    os.mkfifo(fifo)
    stuck = (
        "import sys, threading\n"
        "from edged import daemon, pipeline\n"
        "daemon.GRACE_SECONDS = 0.5\n"
        "original = pipeline.Pipeline._label\n"
        "count = 0\n"
        "def label(*arguments):\n"
        "    global count\n"
        "    count += 1\n"
        f"    if count > 20: open({str(fifo)!r}).read()\n"
        "    return original(*arguments)\n"
        "pipeline.Pipeline._label = label\n"
        "from edged.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    daemon = Daemon(tmp_path, broker.port, f"  a: {{source: {photos}, fps: 20}}")
    text = daemon.config.read_text("utf-8").replace("deadline: 1s", "deadline: 1s, load_deadline: 1s")
    daemon.config.write_text(text, "utf-8")
    daemon.program = ("-c", stuck)
    with watchdog, watched(watchdog, daemon):
        wait_for_labels(subscriber, START_SECONDS)
        until(lambda: "no progress any more: pipeline" in daemon.log, START_SECONDS)
        since = time.monotonic()
        time.sleep(2)
        assert watchdog.said("WATCHDOG=1", since) == 0
        daemon.process.send_signal(signal.SIGABRT)  # as systemd does
        assert daemon.process.wait(5) == -signal.SIGABRT
        assert "in label" in daemon.log, "every thread says where it is"


def test_the_daemon_ends_with_70_when_every_camera_is_stuck_in_its_source(tmp_path: Path, broker: Mosquitto) -> None:
    stuck = (
        "import sys, time\n"
        "from edged.camera import camera, reader, open_source\n"
        "reader.OPEN_SECONDS = 0.5\n"
        "opened = 0\n"
        "def open_stuck(address, options):\n"
        "    global opened\n"
        "    opened += 1\n"
        "    if opened > 1: raise open_source.SourceError('busy')\n"
        "    time.sleep(3600)\n"
        "camera.Camera.__init__.__kwdefaults__['opener'] = open_stuck\n"
        "from edged.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    daemon = Daemon(tmp_path, broker.port, "  a: {source: picamera}")
    daemon.program = ("-c", stuck)
    with daemon:
        assert daemon.process.wait(START_SECONDS) == 70
        assert "every camera is stuck" in daemon.log
        assert "left behind" in daemon.log


def test_a_change_of_heat_or_power_is_told_at_once_and_no_other_look_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LOOK_SECONDS", 0.05)
    tree = Tree(tmp_path)
    tree.put("sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    tree.put("sys/class/thermal/thermal_zone0/temp", "50000")
    tree.put("sys/devices/platform/soc/soc:firmware/get_throttled", "0")
    newest = Newest()
    heat = HeatGovernor(HeatConfig())
    pipeline = Pipeline(newest, lambda: None, {}, lambda _result, _frame: None)
    fleet = Fleet(newest, lambda: None, lambda: heat.share)
    engine = Engine(EngineOptions(device="cpu"))
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1

    async def run() -> None:
        parts = Watched(Supervisor({}), Progress(), fleet, heat, pipeline, engine, tell, tmp_path)
        task = asyncio.create_task(supervise(parts, asyncio.Event()))
        await asyncio.sleep(0.3)
        assert told == 0
        tree.put("sys/devices/platform/soc/soc:firmware/get_throttled", "1")
        await soon(lambda: told == 1)
        tree.put("sys/class/thermal/thermal_zone0/temp", "76000")
        await soon(lambda: told == 2)
        await asyncio.sleep(0.3)
        assert told == 2
        task.cancel()

    asyncio.run(run())
