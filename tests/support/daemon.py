"""The daemon as its user runs it: a process of its own, a real broker, photos in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import psutil

from support.mosquitto import Received, Subscriber, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STOP_SECONDS = 5.0  # the stated bound on SIGTERM


class Daemon:
    """`edged run` on a configuration of the test's own."""

    def __init__(
        self, folder: Path, port: int, cameras: str, *, more: str = "", arguments: tuple[str, ...] = ()
    ) -> None:
        self._folder = folder
        self.config = folder / "edged.yaml"
        page = "" if "web:" in more else "web: {listen: null}"
        self.config.write_text(
            f"device: test\nmqtt: {{host: 127.0.0.1, port: {port}}}\nstate: {folder}/state\n"
            f"inference: {{threads: 1, deadline: 1s}}\n{page}\n{more}\ncameras:\n{cameras}",
            "utf-8",
        )
        self.arguments = arguments
        self.program: tuple[str, ...] = ("-m", "edged")
        self.environment: dict[str, str] = {}
        self._process: psutil.Popen | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def process(self) -> psutil.Popen:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """What it said on stderr so far."""
        return (self._folder / "edged.log").read_text("utf-8")

    def start(self) -> None:
        """Start it; does not wait."""
        with (self._folder / "edged.log").open("ab") as log:
            self._process = psutil.Popen(
                [sys.executable, *self.program, "run", "-c", str(self.config), *self.arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONWARNINGS": "default", **self.environment},
            )

    def worker(self) -> psutil.Process:
        """The worker process that lives now."""
        until(lambda: bool(self._workers()))
        return self._workers()[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait for its end, within the stated bound. Returns its exit code."""
        start = time.monotonic()
        self.process.send_signal(number)
        code: int = self.process.wait(STOP_SECONDS + 5)
        assert time.monotonic() - start <= STOP_SECONDS
        return code

    def _workers(self) -> list[psutil.Process]:
        return [child for child in self.process.children() if child.status() != psutil.STATUS_ZOMBIE]


def labels(subscriber: Subscriber, camera: str = "a") -> list[dict[str, Any]]:
    """The results of a camera so far."""
    return [json.loads(payload) for payload in subscriber.on(f"edged/test/{camera}/labels")]


def wait_for_labels(subscriber: Subscriber, seconds: float, *, more: int = 1, camera: str = "a") -> None:
    """Wait until so many further results have come; fails when it takes longer."""
    wanted = len(labels(subscriber, camera)) + more
    until(lambda: len(labels(subscriber, camera)) >= wanted, seconds)


def wait_for_health(
    subscriber: Subscriber, right: Callable[[dict[str, Any]], bool], seconds: float = 5.0
) -> dict[str, Any]:
    """The first health message, earlier or still to come, for which `right` is true."""

    def is_it(message: Received) -> bool:
        return message.topic == "edged/test/health" and right(json.loads(message.payload))

    health: dict[str, Any] = json.loads(subscriber.wait_for(is_it, seconds).payload)
    return health
