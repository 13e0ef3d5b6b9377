"""The models on this device: a folder a digest, and one link that says which of them labels.

    <state>/models/
      lock                one process changes the store at a time (store_change.py)
      <digest>/           a package as it was proved; a name of 64 hexadecimal digits is there whole or not at all
      records/<digest>    what is known of it besides: when it came, where from, whether it is good (record.py)
      active -> <digest>  which one labels; no link: the base model that came with edged
      previous -> …       the one before it; no link: likewise
      downloads/          what a broken download has got so far (download.py)
      staging/            what is being made, under the lock; whatever is there without a lock was left by a crash

Everything gets its final name by one rename, after its bytes are on the disk (durable.py). So a power cut leaves the
old state or the new one, and readers need no lock. A file that was torn nonetheless is noticed by its digest: opening a
package compares every file with its manifest, and the manifest with the folder's name.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError
from edged.models.files import read
from edged.models.manifest import MAX_MANIFEST_BYTES
from edged.models.package import MANIFEST, Package, open_package, read_summary
from edged.models.record import Record, read_record
from edged.models.version import version_order

if TYPE_CHECKING:
    from pathlib import Path

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_WANTED: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{0,63})(?:@(?P<version>[0-9A-Za-z.+-]{1,64}))?")
_BY_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{8,64})")


def is_name(text: str) -> bool:
    """Whether `Store.find` could find something by it: most paths could not be."""
    if text.endswith(".tflite"):
        return False
    return _WANTED.fullmatch(text) is not None or _BY_DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """A model in the store.

    Attributes:
        digest: 64 hexadecimal digits: the sha256 of its `model.yaml`.
        folder: where its files lie.
    """

    digest: str
    folder: Path
    record: Record

    @property
    def label(self) -> str:
        """`name@version`: what finds it again."""
        return f"{self.record.name}@{self.record.version}"


class Store:
    """The models below a state folder. It need not exist: then there are none.

    Args:
        state: the daemon's state folder.
    """

    def __init__(self, state: Path) -> None:
        self.folder = state / "models"

    def entries(self) -> tuple[Entry, ...]:
        """Every model, by name; of one name the newest first. Their files are not looked at."""
        try:
            names = [path.name for path in self.folder.iterdir() if _DIGEST.fullmatch(path.name)]
        except OSError:
            names = []
        found = [entry for entry in map(self.entry, names) if entry is not None]
        found.sort(key=lambda entry: (version_order(entry.record.version), entry.record.installed), reverse=True)
        return tuple(sorted(found, key=lambda entry: entry.record.name))

    def find(self, wanted: str) -> Entry | None:
        """The model called `name` (its newest version), `name@version` or `sha256:…` (eight digits or more)."""
        digest, named = _BY_DIGEST.fullmatch(wanted), _WANTED.fullmatch(wanted)
        for entry in self.entries():
            if digest is not None and entry.digest.startswith(digest[1]):
                return entry
            if named is None or entry.record.name != named["name"]:
                continue
            if named["version"] in {None, entry.record.version}:  # the newest comes first
                return entry
        return None

    def active(self) -> Entry | None:
        """The model that was chosen to label; None is the base model that came with edged."""
        return self._linked("active")

    def has_choice(self) -> bool:
        """Whether a model was chosen; it may be damaged, or gone."""
        return os.path.lexists(self.folder / "active")  # Path's own raises for what it may not look at

    def previous(self) -> Entry | None:
        """The last good choice before that one."""
        return self._linked("previous")

    def entry(self, digest: str) -> Entry | None:
        """The model with this digest (64 hexadecimal digits)."""
        folder = self.folder / digest
        try:
            is_folder = stat.S_ISDIR(folder.lstat().st_mode)
        except OSError:
            return None
        if not is_folder:
            return None
        return Entry(digest, folder, read_record(self.folder / "records" / digest) or _record_of(folder))

    def _linked(self, link: str) -> Entry | None:
        try:
            digest = str((self.folder / link).readlink())
        except OSError:
            return None
        return self.entry(digest) if _DIGEST.fullmatch(digest) else None


def open_entry(entry: Entry) -> Package:
    """A model of the store, every file compared with its digest.

    Raises:
        ModelError: a file is missing, torn or changed.
    """
    found = manifest_digest(entry.folder)
    if found != entry.digest:
        raise ModelError(
            f"{entry.folder / MANIFEST}: damaged (its sha256 is {found[:12]}…, its folder's name says"
            f" {entry.digest[:12]}…); remove {entry.label} and install it again"
        )
    return open_package(entry.folder)


def is_whole(entry: Entry) -> bool:
    """Whether every file of it is what it was when it was installed."""
    try:
        open_entry(entry)
    except ModelError:
        return False
    return True


def manifest_digest(folder: Path) -> str:
    """A package's digest: the sha256 of its `model.yaml`, which holds the digest of every file. Raises ModelError."""
    return hashlib.sha256(read(folder / MANIFEST, MAX_MANIFEST_BYTES)).hexdigest()


def _record_of(folder: Path) -> Record:
    """What a model says of itself, where its record is lost or torn."""
    try:
        ref = read_summary(folder).ref
    except ModelError:
        return Record("damaged", "0")  # a name all the same: it is to be seen and removed
    return Record(ref.name, ref.version)
