"""A child process that may crash, hang or never have existed: run for a while, and what became of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.text import signal_name

if TYPE_CHECKING:
    from collections.abc import Sequence

GONE_SECONDS: Final = 1.0  # a killed process that is not gone by then sits in the kernel


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a child.

    Attributes:
        fate: None when it ended by itself and well; else words such as `crashed (SIGSEGV)`.
        output: what it said on stdout.
        words: the last line that it said on stderr.
    """

    fate: str | None
    output: str
    words: str


def run_child(arguments: Sequence[str], seconds: float) -> Ended:
    """Run a program for at most so many seconds. Never raises; what it started is killed along with it."""
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
        )
    except (OSError, ValueError) as error:  # ValueError: an argument that no program can be given
        return Ended(f"cannot be started: {getattr(error, 'strerror', None) or error}", "", "")
    try:
        output, words = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=GONE_SECONDS)
        return Ended(f"did not end within {seconds:g} s", "", "")
    lines = [line for line in words.splitlines() if line.strip()]
    return Ended(_fate(child.returncode), output, lines[-1] if lines else "")


def _fate(code: int) -> str | None:
    if code == 0:
        return None
    return f"crashed ({signal_name(-code)})" if code < 0 else f"ended with exit code {code}"
