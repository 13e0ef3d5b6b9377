"""The registry's signed state, by The Update Framework: what python-tuf trusts, and its errors in our words.

python-tuf keeps what it has trusted in a folder, and so knows an older state when it is given one. Whatever else lies
there after a torn write is set aside with the folder, and everything is built again from the pinned root.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuf.api import exceptions as tuf_errors
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.updater import Updater

from edged.camera.regular_file import read_regular_file
from edged.errors import RegistryUnavailableError, RegistryUntrustedError
from edged.models.durable import sync_folder, writing
from edged.updates.alone import alone
from edged.updates.layout import METADATA, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.updates.fetcher import Fetcher

# What is parsed before its signature is known costs memory: some 50 times its size at worst. The two larger ones are
# not parsed before their digest is right, where the smaller ones tell it.
CAPS: Final = UpdaterConfig(
    root_max_length=64 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=256 * 1024,
    targets_max_length=4 * 1024 * 1024,
)
_ROLES: Final = ("timestamp", "snapshot", "targets")
_HISTORY: Final = "root_history"
_NAMES: Final = frozenset({_HISTORY, "root.json", *(f"{role}.json" for role in _ROLES)})
_MAX_KEPT: Final = 1000  # files
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """A file that is signed.

    Attributes:
        address: below the registry's.
        custom: what is signed with it, unread.
    """

    path: str
    address: str
    sha256: str
    size: int
    custom: object


class Trusted:
    """A state of the registry that is signed, whole and not expired. `expires` is when the first part of it will be."""

    def __init__(self, updater: Updater, folder: Path, expires: datetime) -> None:
        self._updater = updater
        self._folder = folder
        self.expires = expires

    def find(self, path: str) -> Target | None:
        """A file by its target path; None where the registry has no such file.

        Raises:
            RegistryUntrustedError: it is signed in a way that is not taken here.
        """
        with writing(self._folder), _translated(path):
            found = self._updater.get_targetinfo(path)
        if found is None:
            return None
        sha256 = found.hashes.get("sha256", "")
        if not _SHA256.fullmatch(sha256):
            raise RegistryUntrustedError(f"{path}: signed without a sha256")
        return Target(path, address(path, sha256), sha256, found.length, found.custom)


def address(path: str, sha256: str) -> str:
    """Where a target lies below the registry's address: under a new name whenever it changes."""
    folder, _, name = path.rpartition("/")
    return "/".join(part for part in (TARGETS, folder, f"{sha256}.{name}") if part)


def refresh(folder: Path, root: Path, fetcher: Fetcher) -> Trusted:
    """Fetch what has changed of the signed state, and verify all of it.

    Args:
        folder: where it is kept; it need not exist.
        root: the file with the pinned root.
        fetcher: of the registry.

    Raises:
        RegistryUnavailableError: it cannot be had now.
        RegistryUntrustedError: it is not what was signed, an older state, or expired; the text says which.
        PermissionDeniedError, CannotWriteError: `folder` cannot be written.
    """
    pinned = _read_pinned(root)
    with alone(folder), writing(folder):
        _prepare(folder)
        with _translated(str(root)):
            updater = Updater(str(folder), fetcher.base + METADATA, fetcher=fetcher, config=CAPS, bootstrap=pinned)
        with _translated(fetcher.base):
            updater.refresh()
            expires = _first_expiry(folder)
        _synchronise(folder)
    return Trusted(updater, folder, expires)


def _read_pinned(root: Path) -> bytes:
    try:
        return read_regular_file(root, CAPS.root_max_length)
    except OSError as error:
        raise RegistryUntrustedError(
            f"{root}: {error.strerror or error}; nothing can be trusted without the registry's root.json there"
        ) from error


def _first_expiry(folder: Path) -> datetime:
    """Of the files that have just been verified."""
    return min(
        Metadata[Root].from_file(str(folder / "root.json")).signed.expires,
        Metadata[Timestamp].from_file(str(folder / "timestamp.json")).signed.expires,
        Metadata[Snapshot].from_file(str(folder / "snapshot.json")).signed.expires,
        Metadata[Targets].from_file(str(folder / "targets.json")).signed.expires,
    )


def _prepare(folder: Path) -> None:
    """Set the folder aside if something is in it that tuf has not put there, or could wait for or fall over."""
    if os.path.lexists(folder) and not _is_sound(folder):
        aside = folder.with_name(f"{folder.name}.damaged")
        _log.warning("%s: damaged; set aside as %s and fetched again", folder, aside.name)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink(missing_ok=True)
        folder.rename(aside)
    (folder / _HISTORY).mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in _NAMES:
            path.unlink()  # tuf had begun to write it when the power went


def _is_sound(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    entries = [entry for place in (folder, folder / _HISTORY) if place.is_dir() for entry in os.scandir(place)]
    return len(entries) <= _MAX_KEPT and all(_is_expected(entry, folder) for entry in entries)


def _is_expected(entry: os.DirEntry[str], folder: Path) -> bool:
    kind = entry.stat(follow_symlinks=False)
    if entry.name == _HISTORY:
        return stat.S_ISDIR(kind.st_mode)
    if entry.name == "root.json" and Path(entry.path).parent == folder:
        return not stat.S_ISDIR(kind.st_mode)  # a link, of which tuf reads nothing
    return stat.S_ISREG(kind.st_mode) and kind.st_size <= CAPS.targets_max_length


def _synchronise(folder: Path) -> None:
    """Wait until all is on the disk: tuf does not."""
    for path in (*(folder / f"{role}.json" for role in _ROLES), *(folder / _HISTORY).iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder / _HISTORY)
    sync_folder(folder)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Within, tuf's errors become ours. The only place that knows them.

    Raises:
        RegistryUnavailableError: an error of the network or the server.
        RegistryUntrustedError: what came is not to be trusted.
    """
    try:
        yield
    except tuf_errors.DownloadHTTPError as error:
        raise RegistryUnavailableError(f"{error}: no registry is there, or not all of it yet") from error
    except tuf_errors.DownloadError as error:
        raise RegistryUnavailableError(f"{what}: {error}") from error
    except tuf_errors.UnsignedMetadataError as error:
        raise RegistryUntrustedError(f"{what}: not signed by (enough of) the keys that are trusted: {error}") from error
    except tuf_errors.ExpiredMetadataError as error:
        raise RegistryUntrustedError(
            f"{what}: expired: {error}; an old state is shown again and again, or its operator has to renew it"
            f" (edged registry refresh), or this machine's clock is wrong ({datetime.now(UTC):%Y-%m-%d %H:%M} UTC)",
            expired=True,
        ) from error
    except tuf_errors.BadVersionNumberError as error:
        raise RegistryUntrustedError(
            f"{what}: an older state than one seen before, or a mixture of two: {error}"
        ) from error
    except tuf_errors.LengthOrHashMismatchError as error:
        raise RegistryUntrustedError(f"{what}: damaged, or a mixture of two states: {error}") from error
    except tuf_errors.RepositoryError as error:
        raise RegistryUntrustedError(f"{what}: not a registry's signed metadata: {error}") from error
