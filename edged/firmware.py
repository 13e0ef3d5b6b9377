"""The Raspberry Pi's firmware, asked as `vcgencmd` asks it: a command and its answer, both text, through /dev/vcio.

The one way to its throttling flags on a Pi 5, whose kernel has no `get_throttled` in sysfs; where there is one, reading
it leaves a warning in the kernel's log ("deprecated"). /dev/vcio and /dev/vcio_gencmd (newer kernels) belong to the
group `video` on Raspberry Pi OS.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NODES: Final = ("dev/vcio_gencmd", "dev/vcio")
_PROPERTY: Final = (3 << 30) | (struct.calcsize("P") << 16) | (100 << 8)  # _IOWR(100, 0, char *) of <linux/ioctl.h>
_GENCMD: Final = 0x00030080  # the property tag "run a command, give its answer"
_TEXT_BYTES: Final = 1024
# The whole size, a status; the tag, its room, its length, the command's error code; the text; an end mark
_LAYOUT: Final = struct.Struct(f"=6I{_TEXT_BYTES}sI")
_SUCCESS: Final = 0x80000000


def ask_firmware(command: str, root: Path) -> str | None:
    """The firmware's answer to a command such as `get_throttled`; None where there is no such firmware, or no answer.

    Never raises. Takes a fraction of a millisecond as a rule; the kernel gives up after a second. `root` is where /dev
    begins.
    """
    for name in NODES:
        with contextlib.suppress(OSError):
            fd = os.open(root / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                message = request(command)
                fcntl.ioctl(fd, _PROPERTY, message)
            finally:
                os.close(fd)
            if (text := answer(message)) is not None:
                return text
    return None


def request(command: str) -> bytearray:
    """The message that carries a command; the firmware writes its answer into the same memory."""
    return bytearray(_LAYOUT.pack(_LAYOUT.size, 0, _GENCMD, _TEXT_BYTES, 0, 0, command.encode("ascii"), 0))


def answer(message: bytes | bytearray) -> str | None:
    """The text that came back; None where the firmware did not do what it was asked."""
    _, status, tag, _, _, error, text, _ = _LAYOUT.unpack(message)
    if status != _SUCCESS or tag != _GENCMD or error:
        return None
    return str(text.partition(b"\0")[0].decode("ascii", "replace"))
