"""A registry's folder as it is served now, every signature checked before anything is believed: or signed again.

What is served is what `timestamp.json` leads to; files with higher numbers are what an interrupted command left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from edged.camera.regular_file import read_regular_file
from edged.errors import PermissionDeniedError, RegistryError
from edged.models.files import MAX_MODEL_BYTES
from edged.updates.layout import (
    MANIFEST,
    METADATA,
    REVOKED,
    TARGETS,
    Channel,
    ModelInfo,
    Revocations,
    channel_target,
    parse_channel,
    parse_model_info,
    parse_model_target,
    parse_revocations,
)

if TYPE_CHECKING:
    from pathlib import Path

MAX_METADATA_BYTES: Final = 5_000_000  # as much as devices read
TIMESTAMP_FILE: Final = "timestamp.json"
_CHANNEL_TARGET: Final = re.compile(r"channels/([a-z0-9._-]+)\.json")
AnySigned = TypeVar("AnySigned", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True, slots=True)
class Served:
    """What a registry serves. `root_data` are the bytes of the newest root."""

    folder: Path
    root: Root
    root_data: bytes
    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp

    def role(self, name: str) -> Signed:
        """The metadata of a role."""
        roles: dict[str, Signed] = {
            Root.type: self.root,
            Targets.type: self.targets,
            Snapshot.type: self.snapshot,
            Timestamp.type: self.timestamp,
        }
        return roles[name]

    def channel(self, name: str) -> Channel | None:
        """A channel's file; None where there is no such channel. Raises RegistryError."""
        data = self._target(channel_target(name))
        return None if data is None else parse_channel(data, name)

    def channels(self) -> dict[str, Channel]:
        """All channels by name. Raises RegistryError."""
        names = (match[1] for path in sorted(self.targets.targets) if (match := _CHANNEL_TARGET.fullmatch(path)))
        return {name: channel for name in names if (channel := self.channel(name))}

    def revocations(self) -> Revocations:
        """The list of revoked models. Raises RegistryError."""
        data = self._target(REVOKED)
        return Revocations() if data is None else parse_revocations(data)

    def models(self) -> tuple[ModelInfo, ...]:
        """Every version of every model. Raises RegistryError."""
        found = []
        for path, target in sorted(self.targets.targets.items()):
            file = parse_model_target(path)
            if file is not None and file.file == MANIFEST:
                found.append(parse_model_info(target.custom, path))
        return tuple(found)

    def damage(self, name: str, version: str) -> tuple[str, ...]:
        """What is wrong with the files of a version, and what to do; empty where all are what was signed.

        Raises:
            PermissionDeniedError: this user may not read one.
        """
        found = []
        for path, target in sorted(self.targets.targets.items()):
            file = parse_model_target(path)
            if file is not None and (file.name, file.version) == (name, version):
                try:
                    self._verified(target, MAX_MODEL_BYTES)
                except RegistryError as error:
                    found.append(str(error))
        return tuple(found)

    def _target(self, path: str) -> bytes | None:
        target = self.targets.targets.get(path)
        return None if target is None else self._verified(target, MAX_METADATA_BYTES)

    def _verified(self, target: TargetFile, most: int) -> bytes:
        file = self.folder / TARGETS / target.get_prefixed_paths()[0]
        data = _read(file, most)
        try:
            target.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise RegistryError(f"{file}: not what was signed; restore this file from a copy") from error
        return data


def read_served(folder: Path, pinned: bytes | None) -> Served:
    """Read what a registry serves.

    Args:
        folder: the registry's.
        pinned: a root that its root must descend from; None: its first root is believed.

    Raises:
        RegistryError: it is no registry, or something is missing, damaged or not signed as it must be.
        PermissionDeniedError: this user may not read it.
    """
    metadata = folder / METADATA
    if not (metadata / TIMESTAMP_FILE).exists():
        raise RegistryError(f"{folder}: no registry here; `edged registry init {folder}` makes one")
    root, root_data = _newest_root(metadata, pinned)
    timestamp = _signed(metadata / TIMESTAMP_FILE, Timestamp, root)
    meta = timestamp.snapshot_meta
    snapshot = _signed(metadata / f"{meta.version}.snapshot.json", Snapshot, root, meta.version)
    meta = snapshot.meta["targets.json"]
    targets = _signed(metadata / f"{meta.version}.targets.json", Targets, root, meta.version)
    return Served(folder, root, root_data, targets, snapshot, timestamp)


def highest_version(metadata: Path, role: str) -> int:
    """The highest version of a role that has a file, served or left by an interrupted command; 0: none has."""
    pattern = re.compile(rf"([0-9]{{1,9}})\.{role}\.json")
    found = (match for path in metadata.iterdir() if (match := pattern.fullmatch(path.name)))
    return max((int(match[1]) for match in found), default=0)


def _newest_root(metadata: Path, pinned: bytes | None) -> tuple[Root, bytes]:
    first = metadata / "1.root.json"
    data = _read(first) if pinned is None else pinned
    loaded = _parse(data, Root, "root.json beside the keys" if pinned is not None else str(first))
    root = loaded.signed
    _verify(root, loaded, str(first))
    newest = highest_version(metadata, Root.type)
    if newest < root.version:
        raise RegistryError(
            f"{metadata}: its newest root is {newest}, beside the keys is {root.version}: this is an old copy of the"
            " registry; restore the newest, since devices take nothing that is older"
        )
    for version in range(root.version + 1, newest + 1):
        path = metadata / f"{version}.root.json"
        data = _read(path)
        loaded = _parse(data, Root, str(path))
        if loaded.signed.version != version:
            raise RegistryError(f"{path}: says that it is version {loaded.signed.version}")
        _verify(root, loaded, str(path))
        root = loaded.signed
        _verify(root, loaded, str(path))
    return root, data


def _signed(path: Path, kind: type[AnySigned], root: Root, version: int | None = None) -> AnySigned:
    loaded = _parse(_read(path), kind, str(path))
    _verify(root, loaded, str(path))
    if version is not None and loaded.signed.version != version:
        raise RegistryError(f"{path}: says that it is version {loaded.signed.version}")
    return loaded.signed


def _parse(data: bytes, kind: type[AnySigned], what: str) -> Metadata[AnySigned]:
    try:
        loaded: Metadata[AnySigned] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise RegistryError(f"{what}: damaged ({error.__cause__ or error}); restore it from a copy") from error
    if not isinstance(loaded.signed, kind):
        raise RegistryError(f"{what}: is {loaded.signed.type} metadata")
    return loaded


def _verify(root: Root, loaded: Metadata[AnySigned], what: str) -> None:
    try:
        root.verify_delegate(loaded.signed.type, loaded.signed_bytes, loaded.signatures)
    except (RepositoryError, ValueError) as error:
        raise RegistryError(
            f"{what}: not signed by the keys of root {root.version}, so somebody else wrote it, or it is damaged;"
            " restore the registry's folder from a copy that is sound"
        ) from error


def _read(path: Path, most: int = MAX_METADATA_BYTES) -> bytes:
    try:
        return read_regular_file(path, most)
    except PermissionError as error:
        raise PermissionDeniedError(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror}; restore it from a copy") from error
