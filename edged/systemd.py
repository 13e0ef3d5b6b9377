"""What edged says to the service manager that started it.

The protocol of sd_notify(3) is one datagram of `NAME=value` lines a message, to the socket that $NOTIFY_SOCKET names:
so little that a dependency would cost more than these lines.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
LONGEST_STATUS: Final = 500  # characters; systemd reads at most 4096 bytes of a datagram


class Supervisor:
    """The service manager, or nobody: without $NOTIFY_SOCKET every call does nothing.

    No call blocks and none raises. A `ready`, `reloading` or `stopping` that the socket did not take goes out with the
    next message; a status that it did not take is sent when it is said again. For one thread.

    The variables are taken out of the environment, so that no child (the worker) can speak in this process's name or
    believes that the watchdog waits for it.

    Args:
        environ: where the variables are; the process's own environment if not given.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        found = os.environ if environ is None else environ
        address, interval, pid = (found.pop(name, "") for name in VARIABLES)
        self._address = _address(address)
        self._watchdog_seconds = _seconds(interval) if pid in {"", str(os.getpid())} else None
        self._is_ready = False
        self._status = ""
        self._owed = ""
        self._socket: socket.socket | None = None
        if self._address:
            with contextlib.suppress(OSError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.settimeout(0)

    @property
    def watchdog_seconds(self) -> float | None:
        """Within how many seconds `watchdog` has to be called again and again; None: nobody waits for it."""
        return self._watchdog_seconds

    def ready(self) -> None:
        """Everything that was to be started has been."""
        self._is_ready = True
        self._say_state("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `reloaded` has to follow."""
        if not self._is_ready:  # nor will `reloaded` say so: what is asked for at the start belongs to starting
            return
        # systemd compares the clock with when it asked, so as to tell an earlier reload's answer from this one's
        self._say_state(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self) -> None:
        """Reloading has ended, well or not."""
        if self._is_ready:
            self._say_state("READY=1")

    def stopping(self) -> None:
        """The end in order has begun."""
        self._say_state("STOPPING=1")

    def watchdog(self) -> None:
        """Still working."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for people (`systemctl status`). Sent when it differs from the last one."""
        line = " ".join(text[:LONGEST_STATUS].split())  # a line break would begin another assignment
        if line != self._status and self._send(f"STATUS={line}"):
            self._status = line

    def close(self) -> None:
        """Let go of the socket; every later call does nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say_state(self, state: str) -> None:
        self._owed = ""  # a newer state takes the place of one that was not heard
        if not self._send(state):
            self._owed = state

    def _send(self, message: str) -> bool:
        """Whether the socket took it."""
        if self._socket is None:
            return False
        whole = "\n".join(filter(None, (self._owed, message)))
        try:
            # not connected: the address is looked up each time, so a manager that was executed anew is found again
            self._socket.sendto(whole.encode("utf-8", "replace"), self._address)
        except OSError:
            return False
        self._owed = ""
        return True


def _address(text: str) -> str:
    """The address as the socket module wants it; empty where it is none of ours (there is `vsock:` too)."""
    if text.startswith("@"):
        return f"\0{text[1:]}"
    return text if text.startswith("/") else ""


def _seconds(microseconds: str) -> float | None:
    if not (microseconds.isascii() and microseconds.isdecimal()):
        return None
    return int(microseconds) / 1e6 or None
