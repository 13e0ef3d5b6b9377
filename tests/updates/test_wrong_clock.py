"""A process whose wall clock is years off, either way, and is set right again, while it polls a registry."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from faults.wall_clock import WallClock
from support.signed_registry import Package, SignedRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.static_server import StaticServer

YEARS = 4 * 365
POLLING = """
import sys
from pathlib import Path
from edged.errors import EdgedError
from edged.updates.registry import Asking
from edged.updates.tuf_registry import Place, TufRegistry
registry = TufRegistry(Place(sys.argv[1], Path(sys.argv[2]), "stable"), Path(sys.argv[3]))
for line in sys.stdin:
    try:
        poll = registry.poll(Asking("porch-pi", "birds"))
        print(poll.update.ref.version if poll.update else poll.reason, flush=True)
    except EdgedError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


class Polling:
    """The process: a device at work."""

    def __init__(self, url: str, folder: Path, clock: WallClock) -> None:
        arguments = (url, folder / "registry/root.json", folder / "state")
        self._process = subprocess.Popen(
            (sys.executable, "-c", POLLING, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | clock.environment,
        )

    def poll(self) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("poll\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def polling(operator: SignedRegistry, server: StaticServer, tmp_path: Path, clock: WallClock) -> Iterator[Polling]:
    operator.offer(Package())
    process = Polling(server.url, tmp_path, clock)
    yield process
    process.end()


def test_clock_years_ahead(polling: Polling, clock: WallClock) -> None:
    """All is expired by it, and no time is kept by which it would count as unset once it is right."""
    for _ in range(2):  # before it has seen anything, and after
        clock.set(YEARS)
        for _ in range(2):
            said = polling.poll()
            assert said.startswith("RegistryUntrustedError: ")
            assert "expired" in said
        clock.set(0)
        assert polling.poll() == "1.0.0"


def test_clock_years_behind(polling: Polling, clock: WallClock) -> None:
    """Nothing is believed to be fresh by it."""
    for _ in range(2):
        clock.set(-YEARS)
        for _ in range(2):
            assert polling.poll().startswith("the clock is not set: it says 202")
        clock.set(0)
        assert polling.poll() == "1.0.0"
    clock.set(-3)
    assert polling.poll().startswith("the clock is not set")
