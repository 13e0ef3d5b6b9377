"""The XMP file beside a photo: which one it is, and how it is replaced without ever being lost."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

from edged.camera.regular_file import read_regular_file
from edged.errors import SidecarError
from edged.photos.xmp import Mark, put_keywords, read_mark

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES: Final = 32 * 1024 * 1024  # develop settings with painted masks reach a few megabytes


class Naming(StrEnum):
    """What a photo's sidecar is called.

    FULL (`photo.jpg.xmp`) is digiKam's and darktable's rule, and Immich's first choice. BASE (`photo.xmp`) is Adobe's,
    digiKam's after a switch in its settings, and Immich's second choice. Lightroom reads it beside raw photos only.
    """

    AUTO = "auto"  # the one that is there; else FULL
    FULL = "full"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One photo's or video's sidecar, there or not yet."""

    path: Path
    photo: Path

    @classmethod
    def of(cls, photo: Path, naming: Naming = Naming.AUTO) -> Sidecar:
        """The file that goes with a photo.

        A `photo.xmp` with the keywords of `photo.png` is not the sidecar of `photo.jpg`, as long as both photos exist.

        Raises:
            SidecarError: BASE, and it is another photo's.
        """
        full = cls(photo.with_name(f"{photo.name}.xmp"), photo)
        base = cls(photo.with_suffix(".xmp"), photo)
        if naming is Naming.FULL or (naming is Naming.AUTO and (_exists(full.path) or not _exists(base.path))):
            return full
        try:
            other = base.mark().file
        except SidecarError:
            return base  # whoever wants to write it will be told
        if other in ("", _quoted(photo)) or not _exists(photo.with_name(os.fsdecode(unquote_to_bytes(other)))):
            return base
        if naming is Naming.AUTO:
            return full
        raise SidecarError(f"{base.path}: holds the keywords of {other}; name sidecars in full (photo.jpg.xmp)")

    def mark(self) -> Mark:
        """What edged has written into it. Raises SidecarError: it is there and cannot be read."""
        data, _ = self._read()
        try:
            return Mark() if data is None else read_mark(data)
        except SidecarError as error:
            raise SidecarError(f"{self.path}: {error}") from error

    def put(self, keywords: Iterable[str], model: str) -> bool:
        """Have these keywords of ours in it, and no others of ours. Returns whether that changed anything.

        The file is replaced in one step: whatever happens, there is the old one or the new one.

        Raises:
            SidecarError: it is there and cannot be read or changed without harm, or changed meanwhile.
            OSError: the new one cannot be written.
        """
        before, status = self._read()
        try:
            after = put_keywords(before, keywords, model, _quoted(self.photo))
        except SidecarError as error:
            raise SidecarError(f"{self.path}: {error}; it is left as it is") from error
        if after == before:
            return False
        _replace(self.path, after, status)
        return True

    def _read(self) -> tuple[bytes | None, os.stat_result | None]:
        try:
            status = self.path.lstat()
            if stat.S_ISLNK(status.st_mode):  # it may lead anywhere
                raise SidecarError(f"{self.path}: a link, not a file; put the file itself here, or take the link away")
            return read_regular_file(self.path, MAX_BYTES), status
        except FileNotFoundError:
            return None, None
        except (OSError, ValueError) as error:
            raise SidecarError(f"{self.path}: {getattr(error, 'strerror', None) or error}") from error


def _replace(path: Path, data: bytes, before: os.stat_result | None) -> None:
    new = path.with_name(f".edged-{secrets.token_hex(8)}.xmp~")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)  # less what the user's umask takes
    try:
        with open(fd, "wb") as file:  # noqa: PTH123  a descriptor
            if before is not None:
                with contextlib.suppress(OSError):  # only root may give files away
                    os.fchown(fd, before.st_uid, before.st_gid)
                os.fchmod(fd, stat.S_IMODE(before.st_mode))
            file.write(data)
            file.flush()
            os.fsync(fd)  # else a power cut could leave the new name with nothing in it
        if _identity(path) != (before and _kept(before)):
            raise SidecarError(
                f"{path}: another program has just changed it; it is left as it is, label the photo anew"
            )
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        return _kept(path.lstat())
    except FileNotFoundError:
        return None


def _kept(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _quoted(photo: Path) -> str:
    return quote(os.fsencode(photo.name))  # XML cannot hold every file name


def _exists(path: Path) -> bool:
    return os.path.lexists(path)
