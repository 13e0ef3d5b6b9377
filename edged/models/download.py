"""A file of known digest from an address: bounded, resumed after a break, and nothing is believed before the digest.

What came before a break stays in a folder of downloads, under the digest that is wanted; the next try goes on there,
whatever the process or address. Only a file whose digest is right is given out.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError, UnavailableError
from edged.models.durable import writing
from edged.models.files import MAX_MODEL_BYTES
from edged.models.http_get import RefusedError, UnreachableError, open_at

if TYPE_CHECKING:
    from pathlib import Path

    from edged.models.http_get import Answer

KEPT_SECONDS: Final = 7 * 24 * 3600  # then what a broken download has got is thrown away
Told = Callable[[int, "int | None"], None]
"""Called with the bytes that are there, and how many there will be, where that is known."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is somewhere. `size` is None where it is not known."""

    address: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds and tries.

    Attributes:
        total: for the whole file.
        stall: without a single byte.
        tries: that bring nothing; one that brings bytes is not counted.
        pause: before the next try, doubled each time.
    """

    total: float = 1800.0
    stall: float = 30.0
    tries: int = 4
    pause: float = 0.5


def download(
    wanted: Wanted, folder: Path, *, told: Told | None = None, patience: Patience | None = None, most: int | None = None
) -> bytes:
    """Get a file.

    Args:
        wanted: which one.
        folder: for what has come before a break; it must exist.
        told: progress.
        patience: how long to wait.
        most: bytes that are taken; None is as many as a model may have.

    Raises:
        UnavailableError: it cannot be had now: offline, too slow, broken off again and again, an error of the server.
        ModelError: what is there is another file, or too large.
        UsageError: an address that is not taken.
        PermissionDeniedError, CannotWriteError: the folder cannot be written.
    """
    limit = min(most or MAX_MODEL_BYTES, MAX_MODEL_BYTES if wanted.size is None else wanted.size)
    if wanted.size is not None and wanted.size > MAX_MODEL_BYTES:
        raise ModelError(f"{wanted.address}: {wanted.size} bytes; {MAX_MODEL_BYTES // 2**20} MB are taken")
    path = folder / f"{wanted.sha256}.part"
    with writing(folder):
        _throw_old_away(folder)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with writing(path):
            return _Fetch(wanted, limit, told or _nobody, patience or Patience()).into(fd)
    except BlockingIOError:
        raise UnavailableError(f"{wanted.address}: another edged is downloading this file") from None
    finally:
        if not os.fstat(fd).st_size:
            path.unlink(missing_ok=True)
        os.close(fd)


class _Fetch:
    """One file's way, with as many requests as it takes."""

    def __init__(self, wanted: Wanted, limit: int, told: Told, patience: Patience) -> None:
        self._wanted = wanted
        self._limit = limit
        self._told = told
        self._patience = patience
        self._until = time.monotonic() + patience.total

    def into(self, fd: int) -> bytes:
        """Fill the file, and give its bytes once their digest is right."""
        data = _whole(fd)
        resumed = bool(data)
        if self._wanted.size is not None and len(data) >= self._wanted.size and not self._is_wanted(data):
            os.ftruncate(fd, 0)
        if not self._is_wanted(data):
            self._fill(fd)
            data = _whole(fd)
        if resumed and not self._is_wanted(data):
            os.ftruncate(fd, 0)  # what was there before was of another file, or torn: once more, from the start
            self._fill(fd)
            data = _whole(fd)
        digest = hashlib.sha256(data).hexdigest()
        if digest != self._wanted.sha256:
            os.ftruncate(fd, 0)
            raise ModelError(f"{self._wanted.address}: another file than expected{self._looks_like(data, digest)}")
        os.ftruncate(fd, 0)  # an empty one is taken away
        return data

    def _is_wanted(self, data: bytes) -> bool:
        return hashlib.sha256(data).hexdigest() == self._wanted.sha256

    def _fill(self, fd: int) -> None:
        """Request until everything has come."""
        failures, pause = 0, self._patience.pause
        while True:
            have = os.fstat(fd).st_size
            try:
                with open_at(self._wanted.address, have) as answer:
                    self._receive(answer, fd)
            except UnreachableError as error:
                failures = failures + 1 if os.fstat(fd).st_size <= have else 0
                if failures >= self._patience.tries or time.monotonic() + pause > self._until:
                    raise self._gave_up(error, os.fstat(fd).st_size) from error
                time.sleep(pause)
                pause = min(2 * pause, 10.0) if failures else self._patience.pause
            except RefusedError as error:
                raise UnavailableError(f"{self._wanted.address}: {error}") from error
            else:
                return

    def _receive(self, answer: Answer, fd: int) -> None:
        if answer.size is not None and self._wanted.size not in {None, answer.size}:
            page = " (a web page: is there a login page between, as in hotels?)" if answer.kind == "text/html" else ""
            text = f"the server has {answer.size} bytes where {self._wanted.size} are expected{page}"
            raise ModelError(f"{self._wanted.address}: {text}")
        if (answer.size or 0) > self._limit:
            raise self._too_large()
        os.ftruncate(fd, answer.start)  # 0 where the server gives no parts
        os.lseek(fd, answer.start, os.SEEK_SET)
        have = answer.start
        self._told(have, answer.size or self._wanted.size)
        while data := answer.read_some(min(time.monotonic() + self._patience.stall, self._until)):
            if time.monotonic() > self._until:
                raise UnreachableError(f"not done within {self._patience.total:g} s")
            have += len(data)
            if have > self._limit:
                os.ftruncate(fd, 0)
                raise self._too_large()
            _write(fd, data)
            self._told(have, answer.size or self._wanted.size)
        if self._wanted.size is not None and have < self._wanted.size:
            raise UnreachableError(f"broke off: {self._wanted.size - have} bytes are missing")

    def _too_large(self) -> ModelError:
        return ModelError(f"{self._wanted.address}: more than the {self._limit} bytes that are expected or taken")

    def _gave_up(self, error: UnreachableError, have: int) -> UnavailableError:
        resume = f"; {have} bytes are kept, and the next try goes on from there" if have else ""
        return UnavailableError(f"{self._wanted.address}: {error}{resume}")

    def _looks_like(self, data: bytes, digest: str) -> str:
        if data[:512].lstrip()[:1] == b"<":
            return ": a web page (an address of a page about the file, or a network's login page?)"
        return f": its sha256 is {digest}, where {self._wanted.sha256} is expected"


def _whole(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file:
        return file.read()


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _nobody(have: int, of: int | None) -> None:
    """Nobody wants to know."""


def _throw_old_away(folder: Path) -> None:
    for path in folder.glob("*.part"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
