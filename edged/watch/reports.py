"""Payloads, read: from bytes that anybody may have published to frozen types of a bounded size.

Texts are cut and freed of whatever could command a terminal, lists and mappings are cut, numbers are finite. What does
not fit is refused as a whole; what is unknown in it is passed over, as a newer edged may say more.
"""

# no `from __future__ import annotations` here: pydantic reads the annotations when the adapters are made
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError

from edged.errors import EdgedError
from edged.text import printable
from edged.watch.topic import Kind

MOST_BYTES: Final = 64 * 1024
MOST_TEXT: Final = 200
MOST_LABELS: Final = 20
MOST_CAMERAS: Final = 64


class UnreadableError(EdgedError):
    """A message that is not edged's. Recover: pass over it."""


def _text(value: object) -> object:
    if not isinstance(value, str):
        return value
    return printable(value if len(value) <= MOST_TEXT else value[: MOST_TEXT - 1] + "…")


def _first_labels(value: object) -> object:
    return value[:MOST_LABELS] if isinstance(value, list) else value


def _first_cameras(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {_text(name): camera for name, camera in islice(value.items(), MOST_CAMERAS)}


Text = Annotated[str, BeforeValidator(_text)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
Count = Annotated[int, Field(ge=0, le=2**63)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
Schema = Literal[1]


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the device is there."""

    online: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a watched label is there; None: it is not watched any more."""

    present: bool | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A label and its confidence."""

    text: Text
    confidence: Share


@dataclass(frozen=True, slots=True)
class Timing:
    """In milliseconds, from a frame's capture to its labels."""

    total: Number | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """One frame's labels, best first."""

    schema: Schema
    frame: Count
    labels: Annotated[tuple[Seen, ...], BeforeValidator(_first_labels)]
    device: Text | None = None
    timing_ms: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something appeared or disappeared, or events were lost (then `count` says how many)."""

    schema: Schema
    event_type: Literal["appeared", "disappeared", "lost"]
    time: AwareDatetime
    sequence: Count
    label: Text = ""
    confidence: Share = 0.0
    count: Count = 0


@dataclass(frozen=True, slots=True)
class CameraState:
    """How one camera is, in the device's own words."""

    state: Text
    reason: Text | None = None
    fps: Number = 0.0
    dropped: Count = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles, in milliseconds."""

    p50: Number | None = None
    p95: Number | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """Where inference runs, and why there."""

    device: Text | None = None
    reason: Text | None = None
    restarts: Count = 0
    latency_ms: Latency = field(default_factory=Latency)


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for the broker, what is lost, and what keeps it up."""

    waiting: Count = 0
    lost: Count = 0
    reason: Text | None = None


@dataclass(frozen=True, slots=True)
class System:
    """How the machine is."""

    memory_mb: Number | None = None
    cpu_percent: Number | None = None
    temperature_c: Number | None = None
    slowed: bool = False
    throttled: bool | None = None
    under_voltage: bool | None = None
    disk_free_mb: Number | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the whole device is."""

    schema: Schema
    cameras: Annotated[Mapping[str, CameraState], BeforeValidator(_first_cameras)]
    time: datetime | None = None
    uptime_s: Number = 0.0
    inference: Inference = field(default_factory=Inference)
    events: Queue = field(default_factory=Queue)
    system: System = field(default_factory=System)


@dataclass(frozen=True, slots=True)
class Version:
    """A model by its name and version."""

    name: Text
    version: Text


@dataclass(frozen=True, slots=True)
class Model:
    """Which model labels, and what becomes of another."""

    schema: Schema
    name: Text | None
    version: Text | None
    state: Text
    candidate: Version | None = None
    last_error: Text | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What is offered, and how far it is."""

    installed_version: Text | None = None
    latest_version: Text | None = None
    in_progress: bool = False
    update_percentage: Annotated[int, Field(ge=0, le=100)] | None = None


Report = Status | Presence | Labels | Happened | Health | Model | Update

_JSON: Final[Mapping[Kind, TypeAdapter[Any]]] = {
    Kind.LABELS: TypeAdapter(Labels),
    Kind.EVENTS: TypeAdapter(Happened),
    Kind.HEALTH: TypeAdapter(Health),
    Kind.MODEL: TypeAdapter(Model),
    Kind.UPDATE: TypeAdapter(Update),
}
_STATUS: Final = {b"online": True, b"offline": False}
_PRESENCE: Final = {b"ON": True, b"OFF": False, b"": None}


def parse_report(kind: Kind, payload: bytes) -> Report:
    """What a message says.

    Raises:
        UnreadableError: it is not what edged publishes there.
    """
    if len(payload) > MOST_BYTES:
        raise UnreadableError(f"{len(payload)} bytes; no message of edged has more than {MOST_BYTES}")
    if kind is Kind.STATUS and payload in _STATUS:
        return Status(_STATUS[payload])
    if kind is Kind.PRESENT and payload in _PRESENCE:
        return Presence(_PRESENCE[payload])
    if kind not in _JSON:
        raise UnreadableError(f"no payload of {kind}")
    try:
        report: Report = _JSON[kind].validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise UnreadableError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return report
