"""The steps that an installation is made of. Each knows whether there is something to do, says it, and does it."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from edged.child import run_child
from edged.errors import CannotWriteError, UnavailableError
from edged.models.durable import move, replace_link, write_file, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.installation.system import System

LONGEST_TEXT: Final = 1 << 20  # bytes of a file that is compared with what it shall be
COMMAND_SECONDS: Final = 60.0


class Step(Protocol):
    """One change to a system."""

    def to_do(self) -> str | None:
        """What would be done, in words (`write /etc/…`); None where it is done already."""

    def do(self) -> None:
        """Do it. Raises EdgedError."""


@dataclass(frozen=True, slots=True)
class Write:
    """A file that belongs to the installation: written anew where it differs.

    Attributes:
        system: whose file it is.
        name: its path there.
        text: what it shall say.
        keep: leave one that is there as it is, whatever it says.
        mode: of a new file.
    """

    system: System
    name: str
    text: str
    keep: bool = False
    mode: int = 0o644

    def to_do(self) -> str | None:
        """`write NAME`, `replace NAME`."""
        path = self.system.path(self.name)
        if not os.path.lexists(path):
            return f"write    {self.name}"
        return None if self.keep or self._is_right(path) else f"replace  {self.name}"

    def do(self) -> None:
        """Write it; a power cut leaves the file of before or this one."""
        path = self.system.path(self.name)
        with writing(path):
            make_folders(path.parent)
            scratch = path.with_name(f".{path.name}.new")
            scratch.unlink(missing_ok=True)
            write_file(scratch, self.text.encode())
            scratch.chmod(self.mode)
            move(scratch, path)

    def _is_right(self, path: Path) -> bool:
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                return False
            with path.open("rb") as file:
                return file.read(LONGEST_TEXT) == self.text.encode()
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link of the installation's."""

    system: System
    name: str
    target: str

    def to_do(self) -> str | None:
        """`link NAME`."""
        path = self.system.path(self.name)
        there = path.is_symlink() and str(path.readlink()) == self.target
        return None if there else f"link     {self.name} -> {self.target}"

    def do(self) -> None:
        """Make it, in the place of whatever has the name."""
        path = self.system.path(self.name)
        with writing(path):
            make_folders(path.parent)
            scratch = path.with_name(f".{path.name}.new")
            scratch.unlink(missing_ok=True)
            replace_link(path, self.target, scratch)


@dataclass(frozen=True, slots=True)
class Remove:
    """A file, a link, or a folder with all that is in it."""

    system: System
    name: str

    def to_do(self) -> str | None:
        """`remove NAME`."""
        return f"remove   {self.name}" if os.path.lexists(self.system.path(self.name)) else None

    def do(self) -> None:
        """Take it away. A link is taken away itself, and not what it leads to."""
        path = self.system.path(self.name)
        with writing(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Command:
    """A program of the system's own that does the step.

    Attributes:
        words: the program and its arguments.
        why: what it does, for people.
        cure: what to do where it fails.
        seconds: it is ended after so long.
        is_needed: asked when it is its turn; False: an earlier step has done it.
    """

    words: tuple[str, ...]
    why: str
    cure: str
    seconds: float = COMMAND_SECONDS
    is_needed: Callable[[], bool] = lambda: True

    def to_do(self) -> str | None:
        """`run WORDS (why)`: whether it is needed is known by whoever put it into the plan."""
        return f"run      {' '.join(self.words)}   ({self.why})" if self.is_needed() else None

    def do(self) -> None:
        """Run it.

        Raises:
            UnavailableError: it is not on this machine, failed, or took too long.
        """
        program = find_program(self.words[0])
        if program is None:
            raise UnavailableError(f"{self.words[0]} is not on this machine; {self.cure}")
        ended = run_child([program, *self.words[1:]], self.seconds)
        if ended.fate is not None:
            said = f": {ended.words}" if ended.words else ""
            raise UnavailableError(f"`{' '.join(self.words)}` {ended.fate}{said}\n{self.cure}")


def find_program(name: str) -> str | None:
    """Where a program of the system lies; an ordinary user's PATH lacks the folders of the administrator's."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")


def make_folders(path: Path) -> None:
    """Make the folders that lack, readable by all whatever the umask. Raises OSError."""
    if path.is_dir():
        return
    if path.exists() or path.is_symlink():
        raise CannotWriteError(f"{path}: is in the way, and no folder; move it away")
    make_folders(path.parent)
    path.mkdir()
    path.chmod(0o755)
