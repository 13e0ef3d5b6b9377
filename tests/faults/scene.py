"""What the tests of faults share: ways to take from a running daemon what it needs, and who saw which label when."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest
import yaml
from support.mosquitto import Subscriber

from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paho.mqtt.client import Client, MQTTMessage
    from support.daemon import Daemon

START_SECONDS: Final = 15.0
DEADLINE: Final = 1.0  # of an inference, in every configuration here
BACK_SECONDS: Final = 1.0  # the stated bound: labels again after a worker's death
RETRY_SECONDS: Final = 5.0  # a source or a broker that is back is found again within this, soon after it went
NOBODY: Final = 65534


def slack() -> float:
    """By how much all bounds grow: a machine that others use too has so much less of itself for the daemon."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def back() -> float:
    """`BACK_SECONDS`, on this machine now."""
    return BACK_SECONDS * slack()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A result as a subscriber saw it. `labelled` is when, on this process's monotonic clock, by its own account."""

    at: float
    labelled: float
    camera: str
    frame: int
    time: datetime
    device: str


class Arrivals(Subscriber):
    """A subscriber that knows when each result came."""

    def __init__(self, port: int) -> None:
        super().__init__(port, "edged/+/+/labels")
        self._all: list[Arrival] = []
        self._new = threading.Condition()

    def of(self, camera: str) -> list[Arrival]:
        """All of one camera so far, in order."""
        with self._new:
            return [arrival for arrival in self._all if arrival.camera == camera]

    def wait_until_labelled(self, cameras: Iterable[str], since: float, seconds: float) -> float:
        """Wait until each camera has a frame that was labelled after `since`. Returns how long after it the last came.

        Labels that were on their way then do not count. Fails when it takes longer than `seconds` from now.
        """
        deadline = time.monotonic() + seconds
        with self._new:
            while missing := set(cameras) - (firsts := self._firsts(since)).keys():
                left = deadline - time.monotonic()
                assert left > 0, f"no label of {', '.join(sorted(missing))} within {seconds:.1f} s"
                self._new.wait(left)
        return max(firsts[camera] for camera in cameras) - since

    def _firsts(self, since: float) -> dict[str, float]:
        """When each camera's first result of a frame labelled after `since` came."""
        firsts = {}
        for arrival in reversed(self._all):
            if arrival.at <= since:
                break
            if arrival.labelled > since:
                firsts[arrival.camera] = arrival.at
        return firsts

    @property
    def last(self) -> Arrival:
        """The newest of all."""
        with self._new:
            return self._all[-1]

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        at = time.monotonic()
        super()._on_message(client, data, message)
        result = json.loads(message.payload)
        when = datetime.fromisoformat(result["time"])
        labelled = when.timestamp() + result["timing_ms"]["total"] / 1000 - time.time() + at
        arrival = Arrival(at, labelled, result["camera"], result["frame"], when, result["device"])
        with self._new:
            self._all.append(arrival)
            self._new.notify_all()


def tell(daemon: Daemon, inference: str) -> None:
    """Add to the configuration's `inference`, before the daemon is started."""
    text = daemon.config.read_text("utf-8")
    assert "deadline: 1s}" in text
    daemon.config.write_text(text.replace("deadline: 1s}", f"deadline: 1s, {inference}}}"), "utf-8")


def workers(daemon: Daemon) -> list[psutil.Process]:
    """All that live now, the oldest first."""
    found = []
    for child in daemon.process.children():
        with contextlib.suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def twin_package(folder: Path) -> Path:
    """The base model with the same file once more as its twin: what the stand-in for the Edge TPU can run."""
    shutil.copytree(data_path("models/base"), folder, ignore=shutil.ignore_patterns("*.py", "base_model"))
    manifest = folder / "model.yaml"
    tree = yaml.safe_load(manifest.read_text("utf-8"))
    for member in tree["members"]:
        data = (folder / member["model"]).read_bytes()
        member["edgetpu"] = f"{Path(member['model']).stem}_edgetpu.tflite"
        (folder / member["edgetpu"]).write_bytes(data)
        tree["files"][member["edgetpu"]] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    manifest.write_text(yaml.safe_dump(tree), "utf-8")
    return folder


def as_ordinary_user(daemon: Daemon) -> Daemon:
    """Have it run as `nobody`, since nothing limits how many processes root has. Already so for who is not root.

    It may read and write everything all the same, so that the interpreter and the test's folder need not be copied.
    """
    become = _become_nobody()
    if become:
        command = [*become, sys.executable, *daemon.program]
        daemon.program = ("-c", f"import os, sys\nos.execv({become[0]!r}, {command} + sys.argv[1:])")
    return daemon


@contextlib.contextmanager
def fork_refused(daemon: Daemon) -> Iterator[None]:
    """Neither process nor thread for the daemon, which must run `as_ordinary_user`."""
    few, most = resource.getrlimit(resource.RLIMIT_NPROC)
    _limit_processes(daemon, 0, most)
    try:
        yield
    finally:
        if daemon.process.poll() is None:
            _limit_processes(daemon, few, most)


def _limit_processes(daemon: Daemon, few: int, most: int) -> None:
    """As the user that it runs as: even root may do it to others only with a capability that containers lack."""
    code = f"import resource\nresource.prlimit({daemon.process.pid}, resource.RLIMIT_NPROC, ({few}, {most}))"
    subprocess.run([*_become_nobody(), sys.executable, "-c", code], check=True)


def _become_nobody() -> list[str]:
    """The beginning of a command that runs as `nobody`; empty where this is not root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root, and there is no setpriv (apt install util-linux) to become somebody else")
    become = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    become += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    tried = subprocess.run([*become, sys.executable, "-c", ""], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"cannot run as another user here: {tried.stderr.strip()}")
    return become


@contextlib.contextmanager
def no_descriptor_left(daemon: Daemon) -> Iterator[None]:
    """Not one descriptor more than it has."""
    few, most = daemon.process.rlimit(psutil.RLIMIT_NOFILE)
    daemon.process.rlimit(psutil.RLIMIT_NOFILE, (daemon.process.num_fds(), most))
    try:
        yield
    finally:
        if daemon.process.poll() is None:
            daemon.process.rlimit(psutil.RLIMIT_NOFILE, (few, most))


class Interpreter:
    """The test's own Python for the worker, behind a script that limits its memory or keeps it waiting."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "python"
        self._before = folder / "before"
        self.first("true")
        self.path.write_text(f'#!/bin/sh\n. {self._before}\nexec "{sys.executable}" "$@"\n', "utf-8")
        self.path.chmod(0o755)

    def first(self, command: str) -> None:
        """Those that are started from now on do this first, in the same process."""
        fresh = self._before.with_suffix(".new")
        fresh.write_text(f"{command}\n", "utf-8")
        fresh.replace(self._before)

    def limit(self, megabytes: int | None) -> None:
        """Those that are started from now on get so much memory of their own (RLIMIT_DATA)."""
        self.first("true" if megabytes is None else f"ulimit -d {megabytes * 1024}")


def resume(process: psutil.Process) -> None:
    """SIGCONT for one that may be gone."""
    with contextlib.suppress(psutil.Error):
        process.resume()
