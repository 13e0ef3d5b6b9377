"""One exception class per way to recover, each with the exit code (sysexits) that a command ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class EdgedError(Exception):
    """Anything that edged raises on purpose. The text says what was wrong, where, and what to do."""

    exit_code: ClassVar[int] = 70


class UsageError(EdgedError):
    """A command was called with words that do not fit. Recover: call it again, corrected."""

    exit_code = 64


class BadImageError(EdgedError):
    """A picture cannot be read, or is too large to be read safely. Recover: leave it out, go on with the next."""

    exit_code = 65


class SidecarError(EdgedError):
    """A photo's keyword sidecar cannot be read or changed without harm. Recover: mend it or take it away; go on."""

    exit_code = 65


class UnwritableError(EdgedError):
    """A file that the user named cannot be written. Recover: another place, or room and rights there."""

    exit_code = 73


class ModelError(EdgedError):
    """A model or its package cannot be used. Recover: another model, or a repaired package."""

    exit_code = 65


class UnavailableError(EdgedError):
    """A service or device is not there now (broker, port, camera). Recover: wait and try again."""

    exit_code = 69


class SourceError(UnavailableError):
    """A source of frames cannot be opened or stopped giving frames. Recover: close it, open it again later."""


class DelegateError(UnavailableError):
    """The Edge TPU cannot be had: no library, no device, busy, refused. Recover: the CPU; try again later."""


class RegistryError(EdgedError):
    """A registry's file or key is not what it must be. Recover: its operator mends it; a device tries again later."""

    exit_code = 65


class RegistryUnavailableError(UnavailableError):
    """A registry cannot be asked now: offline, an error of its server, a login page between. Recover: try later."""


class RegistryUntrustedError(RegistryError):
    """What a registry gives is not what was signed: forged, damaged, an older state, an expired one; it says which.

    Recover: nothing is taken from it; its next state that is right will be. `expired`: its operator has to renew it.
    """

    def __init__(self, text: str, *, expired: bool = False) -> None:
        super().__init__(text)
        self.expired = expired


class WorkerError(EdgedError):
    """The inference worker died, hung or spoke garbage. Recover: start another; one frame is lost."""


class CannotWriteError(EdgedError):
    """Something cannot be put on disk: it is full, read-only, or something is in the way. Recover: as the text says."""

    exit_code = 73


class PermissionDeniedError(EdgedError):
    """The operating system says no. Recover: change owner, group or mode as the text says."""

    exit_code = 77


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a configuration, and where.

    Attributes:
        file: the configuration's name, as the user gave it.
        line: counted from 1; None when it is about the file as a whole.
        key: the path of the key, such as `cameras.porch.masks[0]`; empty when it is about the file's form.
        message: what is wrong, and in brackets what is allowed.
    """

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.message) if part)

    @property
    def place(self) -> str:
        """`FILE:LINE`, as editors and terminals understand it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


class ConfigError(EdgedError):
    """The configuration is wrong; holds every finding, one a line. Recover: mend the file."""

    exit_code = 78

    def __init__(self, text: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(text)
        self.findings = findings
