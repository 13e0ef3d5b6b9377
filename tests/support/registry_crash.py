"""Does something to a registry, killed by SIGKILL before its n-th change to the disk, for every n: a script.

Arguments: a folder (with `models`, `keys` and the packages), and one for the copies: `publish/1`, `publish/2`, …
A process of its own, since only one without threads may fork.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from edged.models.package import open_package
from edged.updates.keys import Keys
from edged.updates.publish import Release, publish, revoke
from edged.updates.renew import rotate

DEEDS = ("publish", "revoke", "targets", "root")
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}


def act(folder: Path, what: str) -> None:
    """What the operator's command does."""
    models, keys = folder / "models", Keys([folder / "keys"])
    if what == "publish":
        publish(models, keys, folder / "new", Release(), open_package)
    elif what == "revoke":
        revoke(models, keys, "birds", "1.0.0", "bad")
    else:
        rotate(models, keys, what)


def die_before(number: int) -> None:
    """Let the process be killed before its `number`-th change to the disk."""
    left = number

    def count(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        flags = args[2] if event == "open" else 0
        if event in CHANGES or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def main(folder: Path, what: str, copies: Path) -> None:
    """Leave a copy for each moment, as it was when the process was killed; the last one is of the whole deed."""
    for number in range(1, 1000):
        copy = copies / str(number)
        shutil.copytree(folder, copy)
        child = os.fork()
        if child == 0:
            os.fsync = id  # type: ignore[assignment]  # does nothing: the kernel lives on, and keeps what was written
            die_before(number)
            act(copy, what)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            return
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"failed at {number}"


if __name__ == "__main__":
    for deed in DEEDS:
        main(Path(sys.argv[1]), deed, Path(sys.argv[2]) / deed)
