"""A registry that really signs, and can be made to sign what no operator would: for attacks on the device's side."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import yaml
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLES: Final = ("root", "targets", "snapshot", "timestamp")
FILES: Final = {"birds.tflite": bytes(range(256)) * 400, "labels.txt": b"Wren\nRobin\n"}


@dataclass
class Package:
    """A package as it is signed; each part can be made to say something else than the others."""

    name: str = "birds"
    version: str = "1.0.0"
    files: Mapping[str, bytes] = field(default_factory=lambda: dict(FILES))
    claims: Mapping[str, object] = field(default_factory=dict)
    """Keys of `model.yaml` that are replaced."""
    custom: Mapping[str, object] = field(default_factory=dict)
    """Keys of what is signed with `model.yaml` that are replaced."""

    @property
    def folder(self) -> str:
        return f"models/{self.name}/{self.version}"

    @property
    def manifest(self) -> bytes:
        stated = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in self.files.items()
        }
        tree: dict[str, object] = {
            "schema": 1,
            "name": self.name,
            "version": self.version,
            "title": "Birds",
            "licence": "Apache-2.0",
            "source": "the tests",
            "members": [{"name": "objects", "model": "birds.tflite", "labels": "labels.txt"}],
            "files": stated,
        }
        return yaml.safe_dump({**tree, **self.claims}).encode()

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"

    @property
    def info(self) -> dict[str, object]:
        size = len(self.manifest) + sum(map(len, self.files.values()))
        said = {"name": self.name, "version": self.version, "digest": self.digest, "size": size, "title": "Birds"}
        return {"edged": {**said, "requires": {}, **self.custom}}


class SignedRegistry:
    """In a folder, to be served. `publish` writes what was put into it since."""

    def __init__(self, folder: Path, threshold: int = 1) -> None:
        self.folder = folder
        self.keys = {role: [CryptoSigner.generate_ed25519() for _ in range(threshold)] for role in ROLES}
        self.root = Root(version=1, expires=later(365), consistent_snapshot=True)
        for role in ROLES:
            self._trust(role, threshold)
        self.targets = Targets(version=1, expires=later(365))
        self.versions = 0
        self.timestamps = 0
        self._write_root(self.keys["root"])
        (folder / "root.json").write_bytes((folder / "metadata/1.root.json").read_bytes())
        self.put("revoked.json", json.dumps({"schema": 1, "revoked": []}).encode())

    def put(self, path: str, data: bytes, custom: Mapping[str, object] | None = None) -> Path:
        """A target; returns where its file lies."""
        target = TargetFile.from_data(path, data, ["sha256"])
        if custom is not None:
            target.unrecognized_fields["custom"] = dict(custom)
        self.targets.targets[path] = target
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return place

    def place(self, path: str) -> Path:
        """Where a target's file lies."""
        folder, _, name = f"targets/{path}".rpartition("/")
        return self.folder / folder / f"{self.targets.targets[path].hashes['sha256']}.{name}"

    def put_package(self, package: Package) -> None:
        for name, data in package.files.items():
            self.put(f"{package.folder}/{name}", data)
        self.put(f"{package.folder}/model.yaml", package.manifest, package.info)

    def put_channel(self, models: Mapping[str, object], channel: str = "stable") -> None:
        content = {"schema": 1, "channel": channel, "models": models}
        self.put(f"channels/{channel}.json", json.dumps(content).encode())

    def revoke(self, package: Package, why: str) -> None:
        entry = {"name": package.name, "version": package.version, "digest": package.digest, "why": why, "time": ""}
        self.put("revoked.json", json.dumps({"schema": 1, "revoked": [entry]}).encode())

    def offer(self, package: Package, **words: object) -> None:
        """Publish a package and let the stable channel have it."""
        self.put_package(package)
        self.put_channel({package.name: {"version": package.version, **words}})
        self.publish()

    def publish(self, **expires: datetime) -> None:
        """Sign everything as the next version."""
        self.versions += 1
        self.targets.version = self.versions
        self.targets.expires = expires.get("targets", later(365))
        targets = self._write("targets", f"{self.versions}.targets.json", self.targets)
        snapshot = Snapshot(
            version=self.versions,
            expires=expires.get("snapshot", later(30)),
            meta={"targets.json": MetaFile.from_data(self.versions, targets, ["sha256"])},
        )
        self.snapshot = self._write("snapshot", f"{self.versions}.snapshot.json", snapshot)
        self.renew(expires.get("timestamp", later(7)))

    def renew(self, expires: datetime) -> None:
        """Sign a new timestamp of what there is."""
        self.timestamps += 1
        meta = MetaFile.from_data(self.versions, self.snapshot, ["sha256"])
        timestamp = Timestamp(version=self.timestamps, expires=expires, snapshot_meta=meta)
        self._write("timestamp", "timestamp.json", timestamp)

    def rotate_root(self, expires: datetime | None = None) -> None:
        """Replace every key, and sign the new root with the old and the new."""
        old = list(self.keys["root"])
        for role in ROLES:
            for key in self.keys[role]:
                self.root.revoke_key(key.public_key.keyid, role)
            self.keys[role] = [CryptoSigner.generate_ed25519() for _ in self.keys[role]]
            self._trust(role, len(self.keys[role]))
        self.root.version += 1
        self.root.expires = expires or later(365)
        self._write_root(old + self.keys["root"])

    def _trust(self, role: str, threshold: int) -> None:
        for key in self.keys[role]:
            self.root.add_key(key.public_key, role)
        self.root.roles[role].threshold = threshold

    def _write_root(self, keys: list[CryptoSigner]) -> None:
        self._sign(f"{self.root.version}.root.json", self.root, keys)

    def _write(self, role: str, name: str, signed: Signed) -> bytes:
        return self._sign(name, signed, self.keys[role])

    def _sign(self, name: str, signed: Signed, keys: list[CryptoSigner]) -> bytes:
        metadata = Metadata[Any](deepcopy(signed))
        for key in keys:
            metadata.sign(key, append=True)
        data = metadata.to_bytes()
        place = self.folder / "metadata" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return data


def later(days: float) -> datetime:
    """From now on, in days; without parts of seconds, as TUF has it."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
