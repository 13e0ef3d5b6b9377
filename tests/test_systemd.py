"""What edged says to systemd, heard at a real socket."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edged.systemd import VARIABLES, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_ONCE = 0.5  # seconds; a blocking send would take for ever


class Manager:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self._socket.settimeout(5)

    def hear(self) -> str:
        """The next message."""
        return self._socket.recv(8192).decode()

    def hears_nothing(self) -> bool:
        """Whether no message has come."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(8192)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(5)
        return False

    def close(self) -> None:
        """As at its end; the name of a path stays behind, as systemd's does when it is killed."""
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """Both kinds of address."""
    name = tmp_path / "notify"
    manager = Manager(str(name) if request.param == "path" else f"@edged-test-{secrets.token_hex(8)}")
    yield manager
    manager.close()


@pytest.fixture
def supervisor(manager: Manager) -> Iterator[Supervisor]:
    """Somebody who talks to the manager."""
    supervisor = Supervisor({"NOTIFY_SOCKET": manager.address})
    yield supervisor
    supervisor.close()


def test_each_state_is_one_message(manager: Manager, supervisor: Supervisor) -> None:
    supervisor.ready()
    supervisor.watchdog()
    supervisor.stopping()
    assert [manager.hear() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_reloading_tells_the_monotonic_time_in_microseconds(manager: Manager, supervisor: Supervisor) -> None:
    supervisor.ready()
    assert manager.hear() == "READY=1"
    before = time.monotonic()
    supervisor.reloading()
    after = time.monotonic()
    first, second = manager.hear().split("\n")
    name, _, value = second.partition("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before - 1e-6 <= int(value) / 1e6 <= after


def test_a_status_is_sent_when_it_changes(manager: Manager, supervisor: Supervisor) -> None:
    for text in ("1 camera", "1 camera", "2 cameras", "1 camera"):
        supervisor.status(text)
    assert [manager.hear() for _ in range(3)] == ["STATUS=1 camera", "STATUS=2 cameras", "STATUS=1 camera"]
    assert manager.hears_nothing()


def test_a_status_stays_one_line_of_valid_text_of_bearable_length(manager: Manager, supervisor: Supervisor) -> None:
    supervisor.status("porch\nWATCHDOG=trigger \r\n\udcff " + "ü" * 10_000)
    heard = manager.hear()
    assert heard.startswith("STATUS=porch WATCHDOG=trigger ? ü")
    assert len(heard.encode()) < 4096
    assert "\n" not in heard


def test_with_nobody_to_talk_to_every_call_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    say_everything(Supervisor())


@pytest.mark.parametrize("address", ["", "@", "relative/path", "vsock:2:1234", "/" + "a" * 200, "/nowhere/at/all"])
def test_an_address_that_leads_nowhere_does_no_harm(address: str) -> None:
    say_everything(Supervisor({"NOTIFY_SOCKET": address}))


def test_a_socket_that_nobody_reads_does_not_block(manager: Manager, supervisor: Supervisor) -> None:
    start = time.monotonic()
    for number in range(5000):
        supervisor.status(f"status {number}")
        supervisor.watchdog()
    supervisor.ready()
    assert time.monotonic() - start < 10 * AT_ONCE
    while not manager.hears_nothing():
        pass
    supervisor.watchdog()
    assert manager.hear() == "READY=1\nWATCHDOG=1"  # a start that was not heard would be ended by the time limit
    supervisor.watchdog()
    assert manager.hear() == "WATCHDOG=1"


def test_a_later_state_takes_the_place_of_one_that_was_not_heard(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    supervisor = Supervisor({"NOTIFY_SOCKET": address})
    supervisor.ready()
    supervisor.stopping()
    manager = Manager(address)
    supervisor.status("ending")
    assert manager.hear() == "STOPPING=1\nSTATUS=ending"
    manager.close()
    supervisor.close()


def test_a_socket_that_vanishes_does_no_harm_and_is_found_again(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    first = Manager(address)
    supervisor = Supervisor({"NOTIFY_SOCKET": address})
    supervisor.status("one")
    assert first.hear() == "STATUS=one"
    first.close()
    supervisor.status("two")
    (tmp_path / "notify").unlink()
    supervisor.status("two")
    second = Manager(address)
    supervisor.status("two")  # it was not heard, so it is news
    assert second.hear() == "STATUS=two"
    second.close()
    supervisor.close()


def test_the_variables_are_not_left_for_children(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    supervisor = Supervisor()
    assert supervisor.watchdog_seconds == 60.0
    supervisor.close()
    code = "import os; print([name for name in os.environ if 'NOTIFY' in name or 'WATCHDOG' in name])"
    child = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30)
    assert child.stdout == b"[]\n"


@pytest.mark.parametrize(
    ("interval", "pid", "seconds"),
    [
        ("30000000", "mine", 30.0),
        ("500000", "", 0.5),
        ("30000000", "1", None),
        ("30000000", "nonsense", None),
        ("0", "", None),
        ("-5", "", None),
        ("²", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_the_watchdog_is_for_this_process_and_a_time_that_makes_sense(
    interval: str, pid: str, seconds: float | None
) -> None:
    process = str(os.getpid()) if pid == "mine" else pid
    environ = {"WATCHDOG_USEC": interval, "WATCHDOG_PID": process, "OTHER": "kept"}
    assert Supervisor(environ).watchdog_seconds == seconds
    assert environ == {"OTHER": "kept"}


def test_closed_it_is_silent(manager: Manager, supervisor: Supervisor) -> None:
    supervisor.close()
    say_everything(supervisor)
    assert manager.hears_nothing()


def say_everything(supervisor: Supervisor) -> None:
    """Every call; the test fails when one raises or takes its time."""
    start = time.monotonic()
    supervisor.status("starting")
    supervisor.ready()
    supervisor.watchdog()
    supervisor.reloading()
    supervisor.reloaded()
    supervisor.stopping()
    supervisor.close()
    assert time.monotonic() - start < AT_ONCE
