"""A package's files, fetched into a folder: resumed after a break or a restart, and taken from here where they are.

A file gets its name once its digest is right and its bytes are on the disk. Until then it is called by its digest
behind a dot, which no file of a package can be. Nothing here reads what a file says.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING, Final

from edged.errors import CannotWriteError, ModelError, RegistryUnavailableError, RegistryUntrustedError
from edged.models.durable import move, sync_folder, writing
from edged.models.http_get import RefusedError
from edged.models.package import read_summary
from edged.updates.alone import alone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edged.updates.fetcher import Fetcher
    from edged.updates.registry import Cancelled, PackageFile, Told, Update

_SOME_BYTES: Final = 64 * 1024
_TRIES: Final = 20  # of one file at a time, each of which has brought something
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class PackageFetch:
    """One package on its way.

    Args:
        fetcher: of the registry.
        update: the package.
        installed: folders of packages whose files may be the same.
        told: progress.
        cancelled: asked between two pieces.
    """

    def __init__(
        self, fetcher: Fetcher, update: Update, installed: Iterable[Path], told: Told, cancelled: Cancelled
    ) -> None:
        self._fetcher = fetcher
        self._update = update
        self._here = _files_of(installed)
        self._told = told
        self._cancelled = cancelled
        self._done = 0  # bytes of the files that are there

    def into(self, parent: Path) -> Path:
        """Fetch all files into a folder of their own in `parent`; raises as `Registry.fetch` says."""
        folder = parent / self._update.ref.digest.removeprefix("sha256:")
        with alone(parent):
            with writing(folder):
                _tidy(parent, folder)
            self._all(folder)
            with writing(folder):
                _leave(folder, {file.name for file in self._update.files})
                sync_folder(folder)
                sync_folder(parent)
        return folder

    def _all(self, folder: Path) -> None:
        try:
            for file in self._update.files:
                with writing(folder / file.name):
                    self._one(file, folder)
                self._done += file.size
        except CannotWriteError:
            shutil.rmtree(folder, ignore_errors=True)  # a full disk would have no room for the next package either
            raise

    def _one(self, file: PackageFile, folder: Path) -> None:
        target, part = folder / file.name, folder / f".{file.sha256}"
        if target.exists():
            if _digest_of(target) == file.sha256:
                return
            target.unlink()  # torn
        fd = os.open(part, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
        try:
            self._fill(fd, file)
            os.fsync(fd)
        except RegistryUntrustedError:
            part.unlink()
            raise
        finally:
            os.close(fd)
        move(part, target)

    def _fill(self, fd: int, file: PackageFile) -> None:
        """Let the open file have the right bytes; what is there already may be of an earlier try."""
        used = os.fstat(fd).st_size > 0 or self._copy(fd, file)
        self._download(fd, file)
        if used and _digest(fd) != file.sha256:
            os.ftruncate(fd, 0)  # torn, or not what it was taken for: once more, all of it from the registry
            self._download(fd, file)
        if _digest(fd) != file.sha256:
            raise RegistryUntrustedError(
                f"{self._fetcher.base}{file.address}: damaged, or another file under its name (its sha256 is not what"
                " is signed)"
            )

    def _copy(self, fd: int, file: PackageFile) -> bool:
        """Take it from a package that is here. A copy, not a link: two packages are not to be damaged together."""
        path = self._here.get(file.sha256)
        if path is None:
            return False
        try:
            source = os.open(path, os.O_RDONLY | _FLAGS)
        except OSError:
            return False
        with os.fdopen(source, "rb") as opened:
            while os.fstat(fd).st_size < file.size and (data := opened.read(_SOME_BYTES)):
                self._proceed(file, os.fstat(fd).st_size)
                _append(fd, data)
        return True

    def _download(self, fd: int, file: PackageFile) -> None:
        until = self._fetcher.deadline(file.size)
        for tries_left in reversed(range(_TRIES)):
            have = os.fstat(fd).st_size
            if have == file.size:
                return
            try:
                self._receive(fd, file, have if have < file.size else 0, until)
            except RegistryUnavailableError:
                got_more = os.fstat(fd).st_size > have
                if not (got_more and tries_left and time.monotonic() < until) or self._cancelled():
                    raise  # else the connection broke: on from there

    def _receive(self, fd: int, file: PackageFile, offset: int, until: float) -> None:
        where = f"{self._fetcher.base}{file.address}"
        try:
            with self._fetcher.open(file.address, offset) as answer:
                os.ftruncate(fd, answer.start)  # 0 where the server gives no parts
                have = answer.start
                while data := answer.read_some(self._fetcher.stall(until)):
                    self._proceed(file, have)
                    if time.monotonic() > until:
                        raise RegistryUnavailableError(f"{where}: too slow; {have} of {file.size} bytes are kept")
                    have += len(data)
                    if have > file.size:
                        raise RegistryUntrustedError(f"{where}: more than the {file.size} bytes that are signed")
                    _append(fd, data)
        except RefusedError as error:
            raise RegistryUnavailableError(f"{where}: {error}") from error
        if have < file.size:
            raise RegistryUnavailableError(f"{where}: ends after {have} of {file.size} bytes")

    def _proceed(self, file: PackageFile, have: int) -> None:
        if self._cancelled():
            raise RegistryUnavailableError(f"{file.name}: stopped; what is there is kept for the next time")
        self._told(self._done + min(have, file.size), self._update.size)


def _files_of(folders: Iterable[Path]) -> dict[str, Path]:
    """Files of installed packages by what their sha256 is said to be."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            found.update({stated.sha256: folder / name for name, stated in read_summary(folder).stated.items()})
        except ModelError:
            continue  # damaged, or a model without a manifest: then all is fetched
    return found


def _tidy(parent: Path, folder: Path) -> None:
    """Leave in `parent` nothing but `folder`, and in that nothing but files."""
    parent.mkdir(parents=True, exist_ok=True)
    for path in parent.iterdir():
        if path != folder or not stat.S_ISDIR(path.lstat().st_mode):
            _remove(path)
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if not stat.S_ISREG(path.lstat().st_mode):
            _remove(path)


def _leave(folder: Path, names: set[str]) -> None:
    """What is left of earlier tries goes."""
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()


def _remove(path: Path) -> None:
    if stat.S_ISDIR(path.lstat().st_mode):
        shutil.rmtree(path)
    else:
        path.unlink()


def _append(fd: int, data: bytes) -> None:
    os.lseek(fd, 0, os.SEEK_END)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _digest_of(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY | _FLAGS)
    try:
        return _digest(fd)
    finally:
        os.close(fd)


def _digest(fd: int) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
