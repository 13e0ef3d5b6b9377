"""How the device is, in words for people: figures, and what to do about each that is not well. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from edged.doctor.board import COOLER, HOT_C, SUPPLY
from edged.updates.shelf import BY_HAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.mqtt.client import MqttState
    from edged.mqtt.messages import CameraHealth, Health

Level = Literal["ok", "notice", "problem"]
LITTLE_DISK_MB: Final = 200
HOUR_S: Final = 3600
MINUTE_S: Final = 60
GIGA: Final = 1024
_STATES: Final = {
    "starting": "starting",
    "running": "running",
    "retrying": "no frames",
    "ended": "at its end",
    "abandoned": "stuck",
    "off": "switched off",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the device's condition.

    Attributes:
        key: stays the same, for who follows it.
        name: what it is about.
        value: how it is.
        level: whether that is well.
        todo: what to do where it is not; empty where it is.
    """

    key: str
    name: str
    value: str
    level: Level = "ok"
    todo: str = ""


def rows(health: Health, mqtt: MqttState, *, registry: bool) -> list[Row]:
    """Everything but the cameras."""
    return [
        _inference(health),
        _latency(health),
        _broker(mqtt),
        _events(health),
        _updates(health, registry=registry),
        *_board(health),
        _disk(health),
        Row("load", "Memory and processor", _load(health)),
        Row("uptime", "Running for", duration(health.uptime_s)),
    ]


def camera_row(name: str, camera: CameraHealth) -> Row:
    """One camera."""
    state = _STATES.get(camera.state, camera.state)
    if camera.state == "running":
        if camera.reason is not None:
            return Row(name, name, camera.reason, "problem", "another model, or look at what the camera shows")
        return Row(name, name, f"{camera.fps:.1f} frames/s labelled")
    if camera.state in {"retrying", "abandoned"}:
        todo = "it is tried again by itself; cable, power and address? `edged doctor` looks at all three"
        if camera.state == "abandoned":
            todo = "its driver hangs: plug it out and in; if that does not help, restart edged"
        return Row(name, name, f"{state}: {camera.reason or 'not known why'}", "problem", todo)
    return Row(name, name, state, "notice" if camera.state == "starting" else "ok")


def findings(health: Health, found: list[Row]) -> list[Row]:
    """What is not well, the worst first."""
    cameras = [camera_row(name, camera) for name, camera in health.cameras.items()]
    unwell = [row for row in (*cameras, *found) if row.level != "ok" and row.todo]
    return sorted(unwell, key=lambda row: row.level != "problem")


def flowing(health: Health) -> str | None:
    """Why frames do not flow; None where they do. Cameras that are off or at their end have none to give."""
    wanting = {
        name: camera for name, camera in health.cameras.items() if camera.state not in {"running", "off", "ended"}
    }
    said = [f"camera {name}: {camera.reason or camera.state}" for name, camera in wanting.items()]
    return "; ".join(said) or None


def fault(last_error: str | None) -> str | None:
    """What went wrong with an update. A model that a person rolled back is nobody's fault."""
    return None if last_error == BY_HAND else last_error


def duration(seconds: float) -> str:
    """So long, in the two largest units."""
    minutes, hours, days = int(seconds // MINUTE_S), int(seconds // HOUR_S), int(seconds // (24 * HOUR_S))
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


def times(count: int) -> str:
    """So often."""
    return "once" if count == 1 else f"{count} times"


def _inference(health: Health) -> Row:
    inference = health.inference
    device = {"edgetpu": "Edge TPU", "cpu": "CPU", None: "not running yet"}[inference.device]
    restarts = f", restarted {times(inference.restarts)}" if inference.restarts else ""
    if inference.reason is not None:
        todo = "`edged doctor` names the cause and the cure; labels come from the CPU meanwhile"
        return Row("inference", "Inference", f"{device}{restarts}: {inference.reason}", "problem", todo)
    level: Level = "ok" if inference.device else "notice"
    return Row("inference", "Inference", f"{device}{restarts}", level)


def _latency(health: Health) -> Row:
    latency = health.inference.latency_ms
    if latency.p50 is None or latency.p95 is None or latency.p99 is None:
        return Row("latency", "Frame to labels", "no result yet")
    return Row("latency", "Frame to labels", f"{latency.p50:.0f} ms (95 %: {latency.p95:.0f}, 99 %: {latency.p99:.0f})")


def _broker(mqtt: MqttState) -> Row:
    if not mqtt.connected:
        todo = (
            "labels go on here and come to nobody else: does the broker run, and let edged in? `edged doctor` asks it"
        )
        return Row("broker", "Broker", mqtt.reason or "not connected", "problem", todo)
    extra = f", reconnected {times(mqtt.reconnects)}" if mqtt.reconnects else ""
    dropped = f", {mqtt.dropped} messages dropped" if mqtt.dropped else ""
    return Row("broker", "Broker", f"connected, MQTT {mqtt.protocol}{extra}{dropped}")


def _events(health: Health) -> Row:
    events = health.events
    value = f"{events.waiting} waiting" if events.waiting else "all delivered"
    lost = f", {events.lost} lost" if events.lost else ""
    if events.reason is not None:
        return Row("events", "Events", f"{value}{lost}: {events.reason}", "problem", "mend that, and none is lost")
    return Row("events", "Events", value + lost)


def _updates(health: Health, *, registry: bool) -> Row:
    error = fault(health.model.last_error)
    if not registry:
        return Row("registry", "Registry", "none configured")
    if error is not None:
        todo = "labels go on with the model that there is; `edged models update --check` says more"
        return Row("registry", "Registry", error, "notice", todo)
    return Row("registry", "Registry", "asked regularly")


def _board(health: Health) -> list[Row]:
    system = health.system
    if all(each is None for each in (system.temperature_c, system.throttled, system.under_voltage)):
        return [Row("temperature", "Heat and power", "this machine does not tell")]
    return [_temperature(health), _power(health)]


def _temperature(health: Health) -> Row:
    system = health.system
    value = "this machine does not tell" if system.temperature_c is None else f"{system.temperature_c:.0f} °C"
    if system.edgetpu_temperature_c is not None:
        value += f", Edge TPU {system.edgetpu_temperature_c:.0f} °C"
    if system.slowed:
        return Row("temperature", "Temperature", f"{value}: fewer frames are labelled", "problem", COOLER)
    if system.throttled or (system.temperature_c or 0.0) >= HOT_C:
        slow = ": the board slows itself down" if system.throttled else ""
        return Row("temperature", "Temperature", value + slow, "problem", COOLER)
    return Row("temperature", "Temperature", value)


def _power(health: Health) -> Row:
    if health.system.under_voltage:
        return Row("power", "Power supply", "too little voltage", "problem", SUPPLY.replace("\n", " "))
    told = health.system.under_voltage is not None
    return Row("power", "Power supply", "steady" if told else "this machine does not tell")


def _disk(health: Health) -> Row:
    free = health.system.disk_free_mb
    if free is None:
        return Row("disk", "Disk", "not known")
    value = f"{free / GIGA:.1f} GB free" if free >= GIGA else f"{free:.0f} MB free"
    if free < LITTLE_DISK_MB:
        return Row("disk", "Disk", value, "problem", "make room: models and events cannot be written for much longer")
    return Row("disk", "Disk", value)


def _load(health: Health) -> str:
    system = health.system
    return ", ".join(_known(("MB", system.memory_mb), ("% of a core", system.cpu_percent))) or "not known"


def _known(*figures: tuple[str, float | None]) -> Iterator[str]:
    for unit, value in figures:
        if value is not None:
            yield f"{value:.0f} {unit}"
