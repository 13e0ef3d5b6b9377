"""The system that is installed into: this machine's own, or an image's in a folder (`--root`).

A path in an image never leaves its folder: `/etc/edged` may be a link to `/data/edged`, which is the image's /data and
not that of the machine that builds it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edged.errors import CannotWriteError, UsageError

MOST_LINKS: Final = 40  # as the kernel's own limit
LARGEST_LIST: Final = 4 << 20  # bytes of etc/passwd or etc/group
SYSTEMD_RUNS: Final = Path("/run/systemd/system")  # sd_booted(3)


@dataclass(frozen=True, slots=True)
class System:
    """Where the system's files lie.

    Attributes:
        root: the folder that is its `/`, resolved.
    """

    root: Path

    @classmethod
    def at(cls, folder: Path) -> System:
        """The system in a folder; `/` is this machine's own.

        Raises:
            UsageError: there is no system in it.
        """
        root = Path(os.path.realpath(folder))
        if not (root / "etc").is_dir():
            raise UsageError(f"{folder}: no system is in this folder (it has no etc/); unpack or mount the image there")
        return cls(root)

    @property
    def is_this_machine(self) -> bool:
        """Whether it is the one that this process runs on."""
        return self.root == Path("/")

    @property
    def runs(self) -> bool:
        """Whether its services can be started now: it is this machine's, and systemd started it."""
        return self.is_this_machine and SYSTEMD_RUNS.is_dir()

    def path(self, absolute: str) -> Path:
        """Where a file of the system lies for this process, links in its folders followed inside the system.

        The last name is not followed: a file that takes the place of a link takes that of the link itself.

        Raises:
            CannotWriteError: links lead round in a circle.
        """
        done = self.root
        todo = [name for name in absolute.split("/") if name not in {"", "."}]
        links = 0
        while todo:
            name = todo.pop(0)
            if name == "..":
                done = done if done == self.root else done.parent
                continue
            here = done / name
            if todo and here.is_symlink():
                links += 1
                if links > MOST_LINKS:
                    raise CannotWriteError(f"{self.root}{absolute}: its links lead round in a circle; mend them")
                target = str(here.readlink())
                done = self.root if target.startswith("/") else done
                todo[:0] = [part for part in target.split("/") if part not in {"", "."}]
            else:
                done = here
        return done

    def shown(self, path: Path) -> str:
        """A file's name as the system itself knows it."""
        return str(path if self.is_this_machine else Path("/") / path.relative_to(self.root))

    def user(self, name: str) -> tuple[int, int] | None:
        """The numbers of a user and of its own group, by etc/passwd; None where there is no such user."""
        for fields in self._list("/etc/passwd"):
            if fields[0] == name and len(fields) > 3 and fields[2].isdecimal() and fields[3].isdecimal():  # noqa: PLR2004
                return int(fields[2]), int(fields[3])
        return None

    def group_name(self, number: int) -> str | None:
        """A group's name, by etc/group."""
        for fields in self._list("/etc/group"):
            if len(fields) > 2 and fields[2] == str(number):  # noqa: PLR2004  name:password:number:members
                return fields[0]
        return None

    def has_group(self, name: str) -> bool:
        """Whether there is a group of this name, by etc/group."""
        return any(fields[0] == name for fields in self._list("/etc/group"))

    def _list(self, absolute: str) -> list[list[str]]:
        path = self.path(absolute)
        try:
            if not path.is_file() or path.is_symlink():
                return []
            with path.open(encoding="utf-8", errors="replace") as file:
                return [line.split(":") for line in file.read(LARGEST_LIST).splitlines()]
        except OSError:
            return []
