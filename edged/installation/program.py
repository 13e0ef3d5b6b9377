"""Which program the service starts, and whether the service's user can start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.errors import PermissionDeniedError, UnavailableError, UsageError

if TYPE_CHECKING:
    from edged.installation.system import System

NOBODY: Final = (65534, 65534)  # stands for a user that is still to be made: it may do what everybody may
SECONDS: Final = 60.0
PROPER_PLACE: Final = """\
put edged where everybody may read it, and install from there:
  sudo python3 -m venv --system-site-packages /opt/edged
  sudo /opt/edged/bin/pip install edged
  sudo /opt/edged/bin/edged install"""


def this_program() -> str:
    """The whole path of the `edged` that runs now.

    Raises:
        UsageError: it has none, as `python -m edged` in a folder of sources.
    """
    beside = Path(sys.executable).parent / "edged"  # not resolved: a virtual environment's python is a link
    if beside.is_file():
        return str(beside)
    raise UsageError(f"no `edged` lies beside {sys.executable}; {PROPER_PLACE}\nor name the program: --program PATH")


def has_program(system: System, program: str) -> bool:
    """Whether an image has the program."""
    return os.path.lexists(system.path(program))


def try_program(program: str, user: str, numbers: tuple[int, int] | None) -> None:
    """Start the program as the service's user will, which only root can.

    `numbers`: the user's and its group's; None where it is still to be made.

    Raises:
        UsageError: there is no such program.
        PermissionDeniedError: the user may not start it, or not read what it is made of.
        UnavailableError: it cannot be started at all.
    """
    if not Path(program).exists():
        raise UsageError(f"{program}: there is no such program; {PROPER_PLACE}")
    number, group = numbers or NOBODY
    try:
        done = subprocess.run(
            [program, "--version"],
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=number,
            group=group,
            extra_groups=[],
            check=False,
            timeout=SECONDS,
        )
    except PermissionError as error:
        raise PermissionDeniedError(f"{program}: the user {user} may not start it; {PROPER_PLACE}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{program}: cannot be started: {error}; {PROPER_PLACE}") from error
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        raise PermissionDeniedError(f"{program}: does not work for the user {user} ({lines[-1]}); {PROPER_PLACE}")
