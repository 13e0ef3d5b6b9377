"""A registry as an operator makes it, in a folder, with packages of tiny models; and a device that pins its root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.updates.initial import Initial, create_registry
from edged.updates.publish import Release, publish, revoke
from support.models import tiny_model, write_package

if TYPE_CHECKING:
    from pathlib import Path

    from edged.updates.keys import Keys

NAME = "tiny"


@dataclass(frozen=True)
class Operator:
    """Signs and serves."""

    folder: Path
    keys: Keys
    workshop: Path

    @classmethod
    def begin(cls, parent: Path) -> Operator:
        folder = parent / "registry"
        keys = create_registry(folder, Initial(parent / "keys"))
        workshop = parent / "workshop"
        workshop.mkdir()
        return cls(folder, keys, workshop)

    @property
    def address(self) -> str:
        return self.folder.as_uri()

    def package(
        self, version: str, file: str = "tiny.tflite", *, ballast: bytes | None = None, **manifest: object
    ) -> Path:
        """A package whose model's file has this name: named_worker.py does what it says. `ballast`: a further file."""
        return write_package(
            self.workshop / f"{version}-{file}",
            name=NAME,
            model=None,
            more={file: tiny_model(), **({} if ballast is None else {"ballast": ballast})},
            member={"model": file, "threshold": 0.0},
            manifest={"version": version, **manifest},
        )

    def publish(
        self,
        version: str,
        file: str = "tiny.tflite",
        *,
        rollout: float = 100.0,
        ballast: bytes | None = None,
        **manifest: object,
    ) -> None:
        """Sign it and offer it, without looking at it as `edged registry publish` would."""
        package = self.package(version, file, ballast=ballast, **manifest)
        publish(self.folder, self.keys, package, Release(rollout=rollout, notes=f"notes of {version}"), lambda _: None)

    def revoke(self, version: str, why: str) -> None:
        revoke(self.folder, self.keys, NAME, version, why)
