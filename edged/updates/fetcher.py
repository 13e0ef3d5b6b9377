"""Files of a registry, over HTTP(S) or from a folder: every wait ends, every size is capped, no link is followed.

Where a server answers with a web page, something stands between (a login page), whatever the status says. What comes
from here is only bytes: whether they are the right ones is for their signature or digest to say.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

from edged.errors import RegistryUnavailableError, RegistryUntrustedError, UnavailableError, UsageError
from edged.models.http_get import RefusedError, Validators, check_address, open_at
from edged.updates.plain_folder import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})  # buckets say 403 for 404


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds.

    Attributes:
        answer: to find the host, to connect, to get the headers: each.
        stall: without a single byte.
        least: for a whole file, however small.
        rate: bytes per second by which a larger file gets more: so a trickle ends too.
        poll: for all the requests of one poll.
    """

    answer: float = 30.0
    stall: float = 30.0
    least: float = 60.0
    rate: float = 8192.0
    poll: float = 600.0

    def total(self, size: int) -> float:
        """For a whole file of `size` bytes."""
        return self.least + size / self.rate


class Incoming(Protocol):
    """A file on its way."""

    @property
    def start(self) -> int:
        """The offset of its first byte; 0 where parts of files are not given."""

    @property
    def kind(self) -> str:
        """The media type."""

    @property
    def validators(self) -> Validators:
        """What this state of it is called."""

    def read_some(self, until: float) -> bytes:
        """What has come; empty at the end. Raises UnavailableError, at the latest at that `time.monotonic()`."""


@dataclass(frozen=True, slots=True)
class Got:
    """A whole small file, and what the server calls this state of it."""

    data: bytes
    validators: Validators


class Fetcher(FetcherInterface):
    """The files below one address.

    Args:
        url: of the registry: https://, http:// or file:///.
        patience: how long to wait.
        until: the `time.monotonic()` when all that is asked of it is to be here.

    Raises:
        UsageError: an address that is not taken.
    """

    def __init__(self, url: str, patience: Patience, until: float = float("inf")) -> None:
        self.base = url.rstrip("/") + "/"
        self.patience = patience
        self._until = until
        self._folder = unquote(urlsplit(self.base).path) if self.base.startswith("file:///") else None
        if self._folder is None:
            check_address(url)

    def get(self, path: str, most: int, known: Got | None = None) -> Got:
        """A whole small file.

        Args:
            path: below the registry's address.
            most: bytes that are taken.
            known: an earlier state of it, which is given again where it has not changed.

        Raises:
            RegistryUnavailableError: it cannot be had now.
            RegistryUntrustedError: it is larger.
        """
        try:
            return self._get(path, most, None if known is None else known.validators)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_MODIFIED and known is not None:
                return known
            raise RegistryUnavailableError(
                f"{self.base}{path}: {error}; no registry there, or not all of it"
            ) from error

    @contextmanager
    def open(self, path: str, offset: int = 0, unless: Validators | None = None) -> Iterator[Incoming]:
        """A file from `offset` on.

        Raises:
            RefusedError: the answer is an error.
            RegistryUnavailableError: there is none, or it broke off.
        """
        try:
            with self._open(path, offset, unless) as answer:
                if answer.kind == "text/html" and not path.endswith((".html", ".htm")):
                    raise RegistryUnavailableError(
                        f"{self.base}{path}: a web page is there instead (a network's login page between?)"
                    )
                yield answer
        except (RegistryUnavailableError, RefusedError):
            raise
        except (UnavailableError, UsageError) as error:
            raise RegistryUnavailableError(f"{self.base}{path}: {error}") from error

    def deadline(self, size: int) -> float:
        """The `time.monotonic()` when a file of this size, asked for now, is to be here."""
        return min(self._until, time.monotonic() + self.patience.total(size))

    def stall(self, until: float) -> float:
        """The `time.monotonic()` when the next byte is to be here."""
        return min(until, time.monotonic() + self.patience.stall)

    def _fetch(self, url: str) -> Iterator[bytes]:
        """As tuf's interface says; tuf itself uses `download_bytes` alone."""
        path = url.removeprefix(self.base)
        with self.open(path) as answer:
            until = self.deadline(0)
            while data := answer.read_some(self.stall(until)):
                yield data

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """As tuf's interface says, in memory: tuf's own goes over a file in /tmp, which may be full or read-only."""
        path = url.removeprefix(self.base)
        try:
            return self._get(path, max_length).data
        except RefusedError as error:
            if error.status in _MISSING:  # tuf asks for roots until there is none
                raise DownloadHTTPError(f"{url}: {error}", HTTPStatus.NOT_FOUND) from error
            raise RegistryUnavailableError(f"{url}: {error}") from error

    def _get(self, path: str, most: int, unless: Validators | None = None) -> Got:
        with self.open(path, unless=unless) as answer:
            return Got(self._all(answer, path, most), answer.validators)

    @contextmanager
    def _open(self, path: str, offset: int, unless: Validators | None) -> Iterator[Incoming]:
        if self._folder is None:
            patience = max(0.001, min(self.patience.answer, self._until - time.monotonic()))
            with open_at(self.base + quote(path), offset, unless=unless, patience=patience) as answer:
                yield answer
        else:
            with open_file(self._folder, path, offset) as file:
                if unless is not None and file.validators == unless:
                    raise RefusedError("the file is the same", HTTPStatus.NOT_MODIFIED)
                yield file

    def _all(self, answer: Incoming, path: str, most: int) -> bytes:
        until, data = self.deadline(most), bytearray()
        while some := answer.read_some(self.stall(until)):
            data += some
            if len(data) > most:
                raise RegistryUntrustedError(f"{self.base}{path}: more than {most} bytes: not what is expected")
            if time.monotonic() > until:
                raise RegistryUnavailableError(f"{self.base}{path}: too slow: {len(data)} bytes so far, given up")
        return bytes(data)
