"""The lists of installed and of published models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from edged.errors import ModelError
from edged.models.catalogue import catalogue
from edged.models.package import BASE, find_model, read_summary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edged.models.store import Store


@dataclass(frozen=True, slots=True)
class Listed:
    """A model on this device.

    Attributes:
        digest: `sha256:…`.
        built_in: it came with edged.
        active: chosen to label; `previous`: chosen before that one.
        state: `good`, `probation`, `rolled_back` (record.py); or `damaged` where its `model.yaml` is.
        refused: why updates do not take it again of themselves; None where they may.
        edgetpu: whether it has a file for the Edge TPU.
        size: bytes of all files.
        installed: when (RFC 3339); empty where that is not known.
        source: where it came from.
    """

    name: str
    version: str
    digest: str
    built_in: bool
    active: bool
    previous: bool
    state: str
    refused: str | None
    edgetpu: bool
    size: int
    installed: str
    source: str

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Known:
    """A published model; `size` is in bytes to download."""

    name: str
    version: str
    title: str
    knows: str
    licence: str
    source: str
    edgetpu: bool
    size: int
    installed: bool

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def list_installed(store: Store, refused: Mapping[str, str] | None = None) -> tuple[Listed, ...]:
    """The base model, then the store's by name, the newest of a name first. No file but `model.yaml` is looked at.

    `refused`: why, by digest (`sha256:…`).
    """
    active, previous = store.active(), store.previous()
    base = find_model(BASE)
    summary = read_summary(base)
    listed = [
        Listed(
            name=BASE,
            version=summary.ref.version,
            digest=summary.ref.digest,
            built_in=True,
            active=active is None,
            previous=active is not None and previous is None,
            state="good",
            refused=None,
            edgetpu=_has_twin(summary.files),
            size=sum(file.size for file in summary.stated.values()),
            installed="",
            source="came with edged",
        )
    ]
    for entry in store.entries():
        files, size, whole = _files(entry.folder, entry.digest)
        listed.append(
            Listed(
                name=entry.record.name,
                version=entry.record.version,
                digest=f"sha256:{entry.digest}",
                built_in=False,
                active=active is not None and active.digest == entry.digest,
                previous=previous is not None and previous.digest == entry.digest,
                state=entry.record.state if whole else "damaged",
                refused=(refused or {}).get(f"sha256:{entry.digest}"),
                edgetpu=_has_twin(files),
                size=size,
                installed=entry.record.installed,
                source=entry.record.source,
            )
        )
    return tuple(listed)


def list_catalogue(store: Store) -> tuple[Known, ...]:
    """Every published model that is known, by name."""
    installed = {entry.record.name for entry in store.entries()}
    return tuple(
        Known(
            name=model.name,
            version=model.version,
            title=model.title,
            knows=model.knows,
            licence=model.licence,
            source=model.source,
            edgetpu=model.edgetpu is not None,
            size=model.size,
            installed=model.name in installed,
        )
        for model in catalogue().values()
    )


def _files(folder: Path, digest: str) -> tuple[tuple[str, ...], int, bool]:
    """Names of a package's files, their size, and whether its manifest is what it was."""
    try:
        summary = read_summary(folder)
    except ModelError:
        return (), 0, False
    size = sum(file.size for file in summary.stated.values())
    return summary.files, size, summary.ref.digest == f"sha256:{digest}"


def _has_twin(files: tuple[str, ...]) -> bool:
    return any(name.endswith("_edgetpu.tflite") for name in files)
