"""What a store knows of a model besides the model: one small JSON file each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from edged.camera.regular_file import read_regular_file

if TYPE_CHECKING:
    from pathlib import Path

MAX_RECORD_BYTES: Final = 16 * 1024
MAX_SOURCE: Final = 2048

Name = Annotated[str, Field(pattern=r"\A[a-z0-9][a-z0-9._-]*\z", max_length=64)]
Version = Annotated[str, Field(pattern=r"\A[0-9A-Za-z.+-]+\z", max_length=64)]
State = Literal["good", "probation", "rolled_back"]


@dataclass(frozen=True, slots=True)
class Record:
    """One model's record. Keys that this version does not know are no error: a newer edged may have written it.

    Attributes:
        name: the package's.
        version: the package's.
        source: where it came from, for people.
        installed: when, in UTC (RFC 3339); empty where that is not known.
        state: `good`: it was proved, or has done well; `probation`: an update that has not yet; `rolled_back`: one
            that did not.
        tries: probations that were begun, and cut off by the end of the daemon or of the whole device.
    """

    name: Name
    version: Version
    source: Annotated[str, Field(max_length=MAX_SOURCE)] = "unknown"
    installed: Annotated[str, Field(max_length=64)] = ""
    state: State = "good"
    tries: Annotated[int, Field(ge=0)] = 0

    @classmethod
    def now(cls, name: str, version: str, source: str, state: State = "good") -> Record:
        """The record of a model that is being installed."""
        return cls(name, version, source[:MAX_SOURCE], datetime.now(UTC).isoformat(timespec="milliseconds"), state)

    def to_json(self) -> bytes:
        """The file's bytes."""
        return json.dumps({"schema": 1, **asdict(self)}).encode()


_ADAPTER: Final = TypeAdapter(Record)


def read_record(path: Path) -> Record | None:
    """A record; None where there is none, or it is torn: nothing hangs on it."""
    try:
        return _ADAPTER.validate_json(read_regular_file(path, MAX_RECORD_BYTES))
    except (OSError, ValidationError):
        return None
