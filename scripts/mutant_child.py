"""A child of this process, forked and not started anew, that may crash, hang or run out of memory over a model."""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.text import signal_name

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SAID: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a child.

    Attributes:
        fate: empty when it did its work; else `crash: SIGSEGV`, `hang`, `memory: …`, or `escaped: …`, an exception.
        said: the texts that its work gave.
        cpu: seconds of processor time.
        memory_mb: what it had at its most, the memory that it shares with its parent included.
    """

    fate: str
    said: dict[str, str]
    cpu: float
    memory_mb: float


def in_child(work: Callable[[], dict[str, str]], *, memory_mb: int, seconds: float) -> Ended:
    """Do some work in a child that may take so much memory and time.

    Args:
        work: gives texts by name.
        memory_mb: beyond what this process has already.
        seconds: after so long, it hangs.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _work(work, writing, memory_mb)
    os.close(writing)
    ended = False
    try:
        said, ended = _read(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status, used = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    cpu, largest_mb = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    if not ended or code:
        return Ended(f"crash: {signal_name(-code)}" if ended else "hang", {}, cpu, largest_mb)
    answer = json.loads(said)
    return Ended(answer["fate"], answer["said"], cpu, largest_mb)


def _work(work: Callable[[], dict[str, str]], writing: int, memory_mb: int) -> None:
    try:
        gc.disable()  # it would touch, and so copy, what this process shares with its parent
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        silence = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(silence, number)
        _limit_memory(memory_mb)
        said: dict[str, str] = {}
        fate = ""
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001  what it is, is the finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = "memory" if isinstance(error, MemoryError) else "escaped"
            fate = f"{kind}: {error!r} at {Path(where.filename).name}:{where.lineno}"[:500]
        with open(writing, "w", encoding="utf-8") as out:
            json.dump({"fate": fate, "said": said}, out)
    finally:
        os._exit(0)


def _limit_memory(memory_mb: int) -> None:
    """RLIMIT_DATA, as for the real throw-away process; on top of what was copied from the parent."""
    status = Path("/proc/self/status").read_text("ascii")
    has = int(status.partition("VmData:")[2].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (has + memory_mb * 2**20,) * 2)


def _read(reading: int, deadline: float) -> tuple[bytes, bool]:
    """What the child says, and whether it came to its end."""
    said = b""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while len(said) < MOST_SAID:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return said, False
        part = os.read(reading, 2**20)
        if not part:
            return said, True
        said += part
    return said, False
