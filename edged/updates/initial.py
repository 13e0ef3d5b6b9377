"""A new registry: its keys, its first root, and no models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuf.api.metadata import MetaFile, Root, Snapshot, Targets, Timestamp

from edged.errors import UsageError
from edged.models.durable import replace_file, write_file
from edged.updates.exclusive import exclusive, writing
from edged.updates.keys import Keys, keep_root, make_key_folder
from edged.updates.layout import (
    METADATA,
    REVOKED,
    ROOT_FILE,
    STABLE,
    Channel,
    Revocations,
    channel_target,
    to_json,
)
from edged.updates.repository import NewTarget, make_folders, serve, set_lifetimes, sign
from edged.updates.served import TIMESTAMP_FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many root keys there are, and how many of them must sign a new root."""

    threshold: int = 1
    keys: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.keys:
            raise UsageError(f"--threshold {self.threshold} --root-keys {self.keys}: so many signatures cannot be had")


@dataclass(frozen=True, slots=True)
class Initial:
    """What the operator says of a new registry. `lifetimes` in seconds, of roles that are not to have the usual."""

    keys: Path
    quorum: Quorum = Quorum()
    lifetimes: Mapping[str, int] = field(default_factory=dict)
    passphrase: bytes | None = None


def create_registry(folder: Path, wanted: Initial) -> Keys:
    """Make a registry in a folder.

    `timestamp.json` is written last: without it there is no registry, and the command may be given again.

    Returns:
        the new keys.

    Raises:
        UsageError: there is a registry already, or keys, or the keys would be served with the registry.
        PermissionDeniedError, CannotWriteError: it cannot be written.
        UnavailableError: another command works on it.
    """
    if wanted.keys.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"--keys {wanted.keys}: lies in {folder}, and would be served to everybody")
    if (folder / METADATA / TIMESTAMP_FILE).exists():
        raise UsageError(f"{folder}: is a registry already; `edged registry show {folder}` says what it has")
    with writing(folder):
        make_key_folder(wanted.keys)
        make_folders(folder.absolute())
        with exclusive(folder) as staging:
            keys = Keys((wanted.keys,), wanted.passphrase)
            root = Root(version=1, consistent_snapshot=True)
            set_lifetimes(root, wanted.lifetimes)
            for role in (Targets.type, Snapshot.type, Timestamp.type):
                root.add_key(keys.create(role).public_key, role)
            set_root_keys(root, keys, wanted.quorum)
            _write(folder, staging, keys, root)
            keys.rename(root)
    return keys


def set_root_keys(root: Root, keys: Keys, quorum: Quorum, kept: Collection[str] = ()) -> None:
    """Let those that are kept, and new ones up to the number wanted, sign roots from this one on. Raises OSError."""
    role = root.roles[Root.type]
    for keyid in [keyid for keyid in role.keyids if keyid not in kept]:
        root.revoke_key(keyid, Root.type)
    role.threshold = quorum.threshold
    while len(role.keyids) < quorum.keys:
        root.add_key(keys.create(Root.type).public_key, Root.type)


def _write(folder: Path, staging: Path, keys: Keys, root: Root) -> None:
    targets, snapshot, timestamp = Targets(), Snapshot(), Timestamp()
    for path, content in ((REVOKED, Revocations()), (channel_target(STABLE), Channel(1, STABLE))):
        staged = staging / path.replace("/", ":")
        write_file(staged, to_json(content))
        targets.targets[path] = serve(folder, NewTarget(path, staged))
    root_data = sign(root, root, keys)
    targets_data = sign(targets, root, keys)
    snapshot.meta["targets.json"] = MetaFile.from_data(1, targets_data, ["sha256"])
    snapshot_data = sign(snapshot, root, keys)
    timestamp.snapshot_meta = MetaFile.from_data(1, snapshot_data, ["sha256"])
    keep_root(keys.folders[0], root_data)
    metadata = folder / METADATA
    make_folders(metadata)
    for place, data in (
        (metadata / "1.root.json", root_data),
        (folder / ROOT_FILE, root_data),
        (metadata / "1.targets.json", targets_data),
        (metadata / "1.snapshot.json", snapshot_data),
        (metadata / TIMESTAMP_FILE, sign(timestamp, root, keys)),
    ):
        replace_file(place, data, staging / place.name)
