"""Wakes a thread that waits in poll: one byte through a pair of sockets."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wake:
    """`send` from any thread; the rest is the waiting thread's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # so that nobody writes to a descriptor that was closed and now is another file's
        self._receiver, self._sender = socket.socketpair()
        self._receiver.settimeout(0)
        self._sender.settimeout(0)

    def fileno(self) -> int:
        """What to wait for, readable."""
        return self._receiver.fileno()

    def send(self) -> None:
        """Wake it."""
        # An error is a full buffer (it will wake anyway) or a closed one (there is nobody to wake).
        with self._lock, contextlib.suppress(OSError):
            self._sender.send(b"\0")

    def clear(self) -> None:
        """It is awake."""
        with contextlib.suppress(BlockingIOError):
            self._receiver.recv(65536)

    def close(self) -> None:
        """It will not wait again."""
        with self._lock:
            self._receiver.close()
            self._sender.close()
