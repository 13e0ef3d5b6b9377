"""Packages that failed on this device, and are not taken a second time: one small file.

A daemon and a command both read and write it: it is read again whenever it has changed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from edged.camera.regular_file import read_regular_file
from edged.models.durable import replace_file, writing

if TYPE_CHECKING:
    from pathlib import Path

    from edged.labeling.label import ModelRef

MAX_REFUSED: Final = 200
REVOKED: Final = "it is revoked: "
"""How the reason begins where the registry has asked for the refusal: no other one takes its place."""
_MAX_BYTES: Final = 512 * 1024
_MAX_WHY: Final = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A package that failed. `time` is UTC (RFC 3339)."""

    name: Annotated[str, Field(max_length=64)]
    version: Annotated[str, Field(max_length=64)]
    digest: Annotated[str, Field(pattern=r"\Asha256:[0-9a-f]{64}\z")]
    why: Annotated[str, Field(max_length=_MAX_WHY)]
    time: Annotated[str, Field(max_length=64)]


_ADAPTER: Final = TypeAdapter(tuple[Refusal, ...])


class Refusals:
    """The file; a torn or missing one is an empty list: the package would fail once more, no worse.

    Args:
        path: of the file; its folder need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._refused: tuple[Refusal, ...] = ()
        self._seen: tuple[int, ...] | None = None

    @property
    def all(self) -> tuple[Refusal, ...]:
        """Each, the oldest first."""
        seen = _state_of(self._path)
        if seen != self._seen:
            self._seen, self._refused = seen, _read(self._path)
        return self._refused

    @property
    def digests(self) -> frozenset[str]:
        """`sha256:…` of each."""
        return frozenset(refusal.digest for refusal in self.all)

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by `sha256:…`."""
        return {refusal.digest: refusal.why for refusal in self.all}

    def of(self, digest: str) -> Refusal | None:
        """The refusal of this package."""
        return next((refusal for refusal in self.all if refusal.digest == digest), None)

    def add(self, ref: ModelRef, why: str) -> None:
        """Refuse a package from now on; beyond the bound the oldest is forgotten.

        Raises:
            PermissionDeniedError, CannotWriteError: it cannot be written; it is refused until the next start.
        """
        known = self.of(ref.digest)
        if known is not None and (known.why.startswith(REVOKED) or not why.startswith(REVOKED)):
            return
        time = datetime.now(UTC).isoformat(timespec="seconds")
        refusal = Refusal(ref.name[:64], ref.version[:64], ref.digest, why[:_MAX_WHY], time)
        others = [other for other in self._refused if other.digest != ref.digest]
        self._keep((*others, refusal)[-MAX_REFUSED:])

    def lift(self, digest: str) -> None:
        """Refuse a package no more: a person wants it.

        Raises:
            PermissionDeniedError, CannotWriteError: it cannot be written; it is refused again at the next start.
        """
        if self.of(digest) is not None:
            self._keep(tuple(refusal for refusal in self._refused if refusal.digest != digest))

    def _keep(self, refused: tuple[Refusal, ...]) -> None:
        self._refused = refused
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            scratch = self._path.with_name(f".{self._path.name}")
            scratch.unlink(missing_ok=True)
            data = json.dumps([asdict(refusal) for refusal in self._refused], indent=1).encode()
            replace_file(self._path, data, scratch)
        self._seen = _state_of(self._path)


def _state_of(path: Path) -> tuple[int, ...] | None:
    """Changes when the file does; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> tuple[Refusal, ...]:
    try:
        return _ADAPTER.validate_json(read_regular_file(path, _MAX_BYTES))[-MAX_REFUSED:]
    except (OSError, ValidationError):
        return ()
