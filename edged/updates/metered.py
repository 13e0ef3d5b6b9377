"""Whether this machine's connection is paid by volume, as NetworkManager knows or guesses it.

Raspberry Pi OS has NetworkManager since Bookworm. Where it is not running, the connection counts as not metered.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

SECONDS: Final = 5.0
_METERED: Final = frozenset({"u 1", "u 3"})  # NMMetered: yes, guessed yes
_QUESTION: Final = (
    "get-property",
    "org.freedesktop.NetworkManager",
    "/org/freedesktop/NetworkManager",
    "org.freedesktop.NetworkManager",
    "Metered",
)


def is_metered(busctl: str = "busctl") -> bool:
    """Whether NetworkManager calls it metered; False where it does not say so within a few seconds."""
    program = shutil.which(busctl)
    if program is None:
        return False
    try:
        asked = subprocess.run(
            (program, "--system", "--auto-start=no", f"--timeout={SECONDS:g}", *_QUESTION),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=SECONDS + 1.0,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and asked.stdout.strip() in _METERED
