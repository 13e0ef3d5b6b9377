"""What the updater needs of a registry, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from edged.updates.layout import Revocations

if TYPE_CHECKING:
    from pathlib import Path

    from edged.labeling.label import ModelRef

Told = Callable[[int, int], None]
"""Called with the bytes that are there, and how many there will be."""
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and for what.

    Attributes:
        device: its name: decides about its share in rollouts.
        model: the name of the model.
        installed: the model that it has; one of another name counts as none.
        refused: digests (`sha256:…`) of packages that failed here or that a person left, and why.
    """

    device: str
    model: str
    installed: ModelRef | None = None
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package. `address` is below the registry's."""

    name: str
    sha256: str
    size: int
    address: str


@dataclass(frozen=True, slots=True)
class Update:
    """A package that is to take the place of the installed one.

    Attributes:
        ref: its name, version and digest.
        size: of all its files, in bytes.
        notes: what is new, for people.
        files: all of them, `model.yaml` included.
    """

    ref: ModelRef
    size: int
    title: str
    notes: str
    files: tuple[PackageFile, ...]


@dataclass(frozen=True, slots=True)
class Poll:
    """What a registry says.

    Attributes:
        update: None where there is none for this device now.
        reason: why there is none, in words; empty where there is one.
        newest: whether that is because the device has the newest that there is for it.
        asked: whether it was asked at all: it is not while the clock is not set.
        changed: whether the registry's state is another than at the last poll.
        revocations: models that are to be used no more; the installed one may be among them.
    """

    update: Update | None
    reason: str = ""
    newest: bool = False
    asked: bool = True
    changed: bool = False
    revocations: Revocations = field(default_factory=Revocations)


class Registry(Protocol):
    """Where models come from. Both calls block, each for a bounded time; one at a time."""

    def poll(self, asking: Asking) -> Poll:
        """What it has for a device.

        Raises:
            RegistryUnavailableError: it cannot be asked now.
            RegistryUntrustedError: it is not what was signed.
            ModelError: the package that it offers contradicts itself.
            PermissionDeniedError, CannotWriteError: the state folder cannot be written.
        """

    def fetch(self, update: Update, into: Path, told: Told, cancelled: Cancelled) -> Path:
        """Fetch a package's files, each with its digest verified and safe on the disk.

        Args:
            update: from `poll`.
            into: a folder for packages on their way. What a break or a restart has left there is used; what belongs
                to other packages is thrown away.
            told: progress.
            cancelled: asked between two pieces; True ends it.

        Returns:
            the package's folder, in `into`.

        Raises:
            RegistryUnavailableError: broken off, too slow, or cancelled; what is there is kept for the next call.
            RegistryUntrustedError: a file is not what was signed.
            PermissionDeniedError, CannotWriteError: the disk is full or read-only.
        """
