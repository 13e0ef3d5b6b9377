#!/usr/bin/env python3
"""A real worker that misbehaves once, where and how `$EDGED_ROGUE` says, and is sound from then on.

`$EDGED_ROGUE` is `WHEN:HOW:MARK`; MARK is a file whose absence means that it is still to happen. Called as an
interpreter is, so that `EngineOptions(python=...)` can name it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

when, how, mark = os.environ["EDGED_ROGUE"].split(":")
_dash_c, _bootstrap, folder, *numbers = sys.argv[1:]
control_fd, request_fd, reply_fd = map(int, numbers[:3])

package = types.ModuleType("edged_worker")
package.__path__ = [folder]
sys.modules["edged_worker"] = package

from edged_worker import main as worker  # type: ignore[import-not-found]  # noqa: E402  made by the lines above


def write(data: bytes) -> None:
    """Say something wrong on the channel that the daemon listens to at that moment."""
    os.write(reply_fd if when == "infer" else control_fd, data)


def half_a_message() -> None:
    """Say half of something, and go."""
    write(b'{"op": "Loa')
    os._exit(0)


def closed_pipe() -> None:
    """Close the channel and live on."""
    os.close(reply_fd if when == "infer" else control_fd)
    time.sleep(3600)


DEEDS: dict[str, Callable[[], object]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segv": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": lambda: time.sleep(3600),
    "garbage": lambda: write(b"\xff\x00garbage"),
    "half": half_a_message,
    "close": closed_pipe,
}


def misbehave() -> None:
    """Do it, the first time only."""
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return
    DEEDS[how]()


original_infer = worker.Slot.infer
original_interpreter = worker.Runtime.interpreter
original_import = worker.Runtime.__init__


def infer(slot: object) -> object:
    """As the real one."""
    if when == "infer" and getattr(slot, "served", 0) >= 1:  # the first call belongs to loading
        misbehave()
    slot.served = 1  # type: ignore[attr-defined]
    return original_infer(slot)


def interpreter(*arguments: object) -> object:
    """As the real one."""
    if when == "load":
        misbehave()
    return original_interpreter(*arguments)


def start(runtime: object, wanted: str) -> None:
    """As the real one."""
    if when == "start":
        misbehave()
    original_import(runtime, wanted)


worker.Slot.infer = infer
worker.Runtime.interpreter = interpreter
worker.Runtime.__init__ = start
worker.main(*numbers)
