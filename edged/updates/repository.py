"""A registry's folder, written: new files under new names first, and `timestamp.json` last, by one rename.

So a reader, and a copy that is made meanwhile, sees the old state or the new one; and so does everybody after a crash.
"""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from edged.errors import RegistryError
from edged.models.durable import move, replace_file, sync_folder, write_file
from edged.updates.keys import Keys, keep_root
from edged.updates.layout import METADATA, ROOT_FILE, TARGETS
from edged.updates.served import MAX_METADATA_BYTES, TIMESTAMP_FILE, AnySigned, Served, highest_version, read_served

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

DAY: Final = 24 * 3600
LIFETIMES: Final = {Root.type: 365 * DAY, Targets.type: 365 * DAY, Snapshot.type: 30 * DAY, Timestamp.type: 7 * DAY}
"""How long what each role signs holds, in seconds, where the operator says nothing else."""
MAX_LIFETIME: Final = 3650 * DAY
_LIFETIMES: Final = "x-edged-lifetimes"  # a field of the root, so that all who publish go by the same
_KEPT: Final = 20  # superseded versions of targets and snapshot: a device may be in the middle of reading one
ONLINE: Final = (Targets.type, Snapshot.type, Timestamp.type)
"""Who signs, one after the other, when something is published."""


@dataclass(frozen=True, slots=True)
class NewTarget:
    """A file that is to be served; it lies in the staging folder until then."""

    path: str
    staged: Path
    custom: dict[str, object] | None = None


class Repository:
    """A registry that this process holds (`exclusive`).

    Args:
        folder: the registry's.
        staging: what `exclusive` gave.
        keys: those at hand.

    Raises:
        RegistryError, PermissionDeniedError: as `read_served`.
    """

    def __init__(self, folder: Path, staging: Path, keys: Keys) -> None:
        self.folder = folder
        self.keys = keys
        self.staging = staging
        self.served: Served = read_served(folder, keys.pinned_root())

    def require_keys(self, *roles: str) -> None:
        """Raise RegistryError where keys are missing; before any work, rather than after it."""
        self.keys.require(self.served.root, *roles)

    def stage(self, path: str, data: bytes) -> NewTarget:
        """Write a small file that is to be served. Raises OSError."""
        staged = self.staging / path.replace("/", ":")
        write_file(staged, data)
        return NewTarget(path, staged)

    def commit(self, changes: Sequence[NewTarget] = (), renew: Collection[str] = ()) -> None:
        """Serve the changes.

        Args:
            changes: new files, and new contents of files that there are.
            renew: roles to sign anew though nothing changes; `timestamp.json` always is.

        Raises:
            RegistryError: keys are missing, or the metadata would be larger than devices read.
            OSError: it cannot be written.
        """
        self._commit(changes, renew)
        self.served = read_served(self.folder, self.served.root_data)

    def change_root(self, change: Callable[[Root], None]) -> None:
        """Serve a new root, signed by the old one's keys and by its own.

        Raises:
            RegistryError: too few keys are at hand.
            OSError: it cannot be written.
        """
        old = self.served.root
        root = copy.deepcopy(old)
        root.version += 1
        change(root)
        root.expires = _expiry(lifetimes(root)[Root.type])
        self.keys.require(old, Root.type)
        self.keys.require(root, Root.type)
        signed = Metadata(root)
        for signers in (self.keys.at_hand(old, Root.type), self.keys.at_hand(root, Root.type)):
            for signer in signers:
                signed.sign(signer, append=True)
        data = _to_bytes(signed)
        self._put(f"{root.version}.root.json", data)
        replace_file(self.folder / ROOT_FILE, data, self.staging / ROOT_FILE)
        keep_root(self.keys.folders[0], data)
        self.served = read_served(self.folder, data)

    def _commit(self, changes: Sequence[NewTarget], renew: Collection[str]) -> None:
        served, metadata = self.served, self.folder / METADATA
        targets = copy.deepcopy(served.targets)
        snapshot = copy.deepcopy(served.snapshot)
        timestamp = copy.deepcopy(served.timestamp)
        for change in changes:
            targets.targets[change.path] = serve(self.folder, change)
        if changes or Targets.type in renew:
            targets.version = max(targets.version, highest_version(metadata, Targets.type)) + 1
            data = self._sign(targets)
            snapshot.meta["targets.json"] = MetaFile.from_data(targets.version, data, ["sha256"])
            self._put(f"{targets.version}.targets.json", data)
        if changes or set(renew) - {Timestamp.type}:
            snapshot.version = max(snapshot.version, highest_version(metadata, Snapshot.type)) + 1
            data = self._sign(snapshot)
            timestamp.snapshot_meta = MetaFile.from_data(snapshot.version, data, ["sha256"])
            self._put(f"{snapshot.version}.snapshot.json", data)
        timestamp.version += 1
        self._put(TIMESTAMP_FILE, self._sign(timestamp))
        self._prune(Targets.type, targets.version)
        self._prune(Snapshot.type, snapshot.version)

    def _sign(self, signed: AnySigned) -> bytes:
        return sign(signed, self.served.root, self.keys)

    def _put(self, name: str, data: bytes) -> None:
        replace_file(self.folder / METADATA / name, data, self.staging / name)

    def _prune(self, role: str, version: int) -> None:
        for number in range(version - _KEPT, 0, -1):
            path = self.folder / METADATA / f"{number}.{role}.json"
            if not path.exists():
                break
            with contextlib.suppress(OSError):
                path.unlink()


def lifetimes(root: Root) -> dict[str, int]:
    """How long what each role signs holds, in seconds."""
    stated = root.unrecognized_fields.get(_LIFETIMES)
    return LIFETIMES | {
        role: value
        for role, value in (stated if isinstance(stated, dict) else {}).items()
        if role in LIFETIMES and isinstance(value, int) and 0 < value <= MAX_LIFETIME
    }


def set_lifetimes(root: Root, wanted: Mapping[str, int]) -> None:
    """Say in a root how long what each role signs holds; roles that are not named stay as they are."""
    root.unrecognized_fields[_LIFETIMES] = lifetimes(root) | dict(wanted)


def serve(folder: Path, new: NewTarget) -> TargetFile:
    """Give a staged file its name, which has its digest in it and so is nobody else's. Raises OSError."""
    target = TargetFile.from_file(new.path, str(new.staged), ["sha256"])
    if new.custom is not None:
        target.unrecognized_fields["custom"] = new.custom
    place = folder / TARGETS / target.get_prefixed_paths()[0]
    make_folders(place.parent)
    move(new.staged, place)
    return target


def sign(signed: AnySigned, root: Root, keys: Keys) -> bytes:
    """A role's metadata, expiring when the root says and signed by all of the role's keys that are at hand.

    Raises:
        RegistryError: these are too few, or it is larger than devices read.
    """
    keys.require(root, signed.type)
    signed.expires = _expiry(lifetimes(root)[signed.type])
    metadata = Metadata(signed)
    for signer in keys.at_hand(root, signed.type):
        metadata.sign(signer, append=True)
    data = _to_bytes(metadata)
    if len(data) > MAX_METADATA_BYTES:
        raise RegistryError(
            f"{signed.type}: {len(data)} bytes of metadata, and devices read {MAX_METADATA_BYTES}: this registry holds"
            " too many files; begin another"
        )
    return data


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before what it holds. Raises OSError."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir()
        sync_folder(folder.parent)


def _expiry(lifetime: int) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=lifetime)).replace(microsecond=0)


def _to_bytes(metadata: Metadata[AnySigned]) -> bytes:
    return metadata.to_bytes(JSONSerializer(compact=True))
