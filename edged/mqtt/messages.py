"""Topics and payloads: what a subscriber sees. Pure functions and frozen types, no connection."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from edged.labeling.label import Result

SCHEMA: Final = 1
ONLINE: Final = b"online"
OFFLINE: Final = b"offline"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one device, all below `edged/<device>`."""

    device: str

    @property
    def prefix(self) -> str:
        """What every topic of the device begins with."""
        return f"edged/{self.device}"

    @property
    def status(self) -> str:
        """`online` or `offline`; also the last will."""
        return f"{self.prefix}/status"

    @property
    def health(self) -> str:
        """The device's health, retained."""
        return f"{self.prefix}/health"

    @property
    def model(self) -> str:
        """Which model labels, and what becomes of another; retained."""
        return f"{self.prefix}/model"

    @property
    def model_set(self) -> str:
        """Where commands about the model come."""
        return f"{self.prefix}/model/set"

    @property
    def update(self) -> str:
        """What Home Assistant's update entity takes; retained."""
        return f"{self.prefix}/update"

    @property
    def result(self) -> str:
        """The outcome of every command."""
        return f"{self.prefix}/result"

    @property
    def replies(self) -> str:
        """What topics of the device begin with that are for answers, where a command names them (MQTT 5)."""
        return f"{self.result}/"

    @property
    def inference_set(self) -> str:
        """Where commands about inference come."""
        return f"{self.prefix}/inference/set"

    @property
    def any_setting(self) -> str:
        """A filter: where commands about cameras come."""
        return f"{self.prefix}/+/set/+"

    def set(self, camera: str, setting: str) -> str:
        """Where one setting of a camera is changed."""
        return f"{self.prefix}/{camera}/set/{setting}"

    def settings(self, camera: str) -> str:
        """What of a camera's settings applies; retained."""
        return f"{self.prefix}/{camera}/settings"

    def image(self, camera: str) -> str:
        """A snapshot as JPEG; retained."""
        return f"{self.prefix}/{camera}/image"

    def labels(self, camera: str) -> str:
        """The stream of one camera's results."""
        return f"{self.prefix}/{camera}/labels"

    def present(self, camera: str, slug: str) -> str:
        """Whether a watched label is there, `ON` or `OFF`; retained."""
        return f"{self.prefix}/{camera}/present/{slug}"

    def events(self, camera: str) -> str:
        """What has appeared and disappeared."""
        return f"{self.prefix}/{camera}/events"


def label_payload(result: Result) -> bytes:
    """One frame's labels as JSON.

    A label whose confidence is not a finite number is left out, as nothing can be done with it; a time that is not
    finite is null. So NaN, which is not JSON, never gets out.
    """
    labels = [label.to_plain() for label in result.labels if math.isfinite(label.confidence)]
    return _json(
        {
            "schema": SCHEMA,
            "camera": result.camera,
            "time": timestamp(result.time),
            "frame": result.frame,
            "labels": labels,
            "model": asdict(result.model),
            "device": result.device,
            "timing_ms": _plain(asdict(result.timing)),
        }
    )


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """How one camera is. `reason` says why it is in a state that is not well, else None.

    `unchanged` counts frames that were not labelled, since nothing in them had moved.
    """

    state: str
    reason: str | None
    fps: float
    frames: int
    dropped: int
    reconnects: int
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds, from a frame's capture to its labels; None before the first result."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class InferenceHealth:
    """Where inference runs (`edgetpu`, `cpu`, None: nowhere yet), and why there if not where it was asked to."""

    device: str | None
    reason: str | None
    restarts: int
    latency_ms: Latency


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """Which model labels, and how updates go: as in `…/model`, in short."""

    name: str | None = None
    version: str | None = None
    state: str = "good"
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class EventsHealth:
    """How many events wait for the broker, how many are lost since the start, and what keeps them up, if anything."""

    waiting: int = 0
    lost: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class MqttHealth:
    """How the connection to the broker has been. `protocol` is `5` or `3.1.1`."""

    protocol: str | None
    reconnects: int
    queued: int
    dropped: int


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """How the machine is; None for what it does not tell. `slowed`: fewer frames are labelled, because of heat."""

    memory_mb: float | None = None
    cpu_percent: float | None = None
    temperature_c: float | None = None
    edgetpu_temperature_c: float | None = None
    slowed: bool = False
    throttled: bool | None = None
    under_voltage: bool | None = None
    disk_free_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How the whole device is, at one instant."""

    time: datetime
    uptime_s: float
    cameras: Mapping[str, CameraHealth]
    inference: InferenceHealth
    mqtt: MqttHealth
    system: SystemHealth
    model: ModelHealth = field(default_factory=ModelHealth)
    events: EventsHealth = field(default_factory=EventsHealth)

    def to_json(self) -> bytes:
        """The payload of the health topic. Figures have three decimals at most; one that is not finite is null."""
        return _json(
            {
                "schema": SCHEMA,
                "time": timestamp(self.time),
                "uptime_s": _plain(self.uptime_s),
                "cameras": {name: _plain(asdict(camera)) for name, camera in self.cameras.items()},
                "inference": _plain(asdict(self.inference)),
                "model": asdict(self.model),
                "events": asdict(self.events),
                "mqtt": _plain(asdict(self.mqtt)),
                "system": _plain(asdict(self.system)),
            }
        )

    def states(self) -> Hashable:
        """What is published at once when it changes: states, reasons and flags, never a figure that always moves."""
        return (
            tuple(sorted((name, camera.state, camera.reason) for name, camera in self.cameras.items())),
            (self.inference.device, self.inference.reason),
            self.model,
            (self.events.lost, self.events.reason),
            self.mqtt.protocol,
            (self.system.throttled, self.system.under_voltage, self.system.slowed),
        )


def timestamp(time: datetime) -> str:
    """The time as RFC 3339 in UTC, with milliseconds and a Z: `2026-11-23T12:00:00.123Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    """Rounds every float inside to three decimals, and makes one that is not finite None."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value


def _json(value: dict[str, object]) -> bytes:
    # UTF-8 as it is, since people read these in terminals. A lone surrogate (from a label file that is not UTF-8)
    # has no UTF-8 and becomes "?", as strict parsers refuse the escape that ASCII output would hold.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")
