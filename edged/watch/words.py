"""How a device is, in a few words: the same on the screen and in lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.watch.devices import Device
    from edged.watch.reports import CameraState, Happened, Health


def model_words(device: Device) -> str:
    """Which model labels, and what becomes of another."""
    words = []
    model, update = device.model, device.update
    if model is not None and model.name is not None:
        words.append(f"{model.name} {model.version or ''}".rstrip())
    if update is not None and update.in_progress:
        percent = "" if update.update_percentage is None else f" {update.update_percentage} %"
        words.append(f"updating to {update.latest_version}{percent}")
    elif update is not None and update.latest_version not in {None, update.installed_version}:
        words.append(f"{update.latest_version} is offered")
    if model is not None and model.state not in {"good", "downloading"}:
        words.append(model.state.replace("_", " "))
    return ", ".join(words)


def machine_words(health: Health) -> list[str]:
    """Figures of the machine and of inference, those that it tells."""
    p50, system = health.inference.latency_ms.p50, health.system
    words = [health.inference.device or "no inference yet"]
    if p50 is not None:
        words.append(f"{p50:.0f} ms")
    if system.temperature_c is not None:
        words.append(f"{system.temperature_c:.0f} °C")
    if system.cpu_percent is not None:
        words.append(f"CPU {system.cpu_percent:.0f} %")
    if system.memory_mb is not None:
        words.append(f"{system.memory_mb:.0f} MB")
    return words


def troubles(device: Device) -> list[str]:
    """What is not well with a device, but for its cameras."""
    if device.online is False:
        return ["offline"]
    words = []
    health = device.health
    if health is not None:
        inference, events, system = health.inference, health.events, health.system
        if inference.reason:
            words.append(f"inference: {inference.reason}")
        if events.reason:
            words.append(f"events: {events.reason}")
        if events.lost:
            words.append(f"{events.lost} events lost")
        if system.under_voltage:
            words.append("too little voltage: edged doctor says what helps")
        if system.throttled or system.slowed:
            words.append("slowed down by heat or voltage")
    if device.model is not None and device.model.last_error:
        words.append(f"model: {device.model.last_error}")
    return words


def well(state: CameraState) -> bool:
    """Whether nobody has to look after a camera."""
    return state.state in {"running", "starting", "off", "ended"}


def camera_words(state: CameraState) -> str:
    """How a camera is."""
    return f"{state.state}: {state.reason}" if state.reason else state.state


def ailing(device: Device) -> bool:
    """Whether something is not well with a device or one of its cameras."""
    cameras = () if device.health is None else device.health.cameras.values()
    return bool(troubles(device)) or not all(map(well, cameras))


def event_words(event: Happened) -> str:
    """An event, without time and place."""
    if event.event_type == "lost":
        return f"{event.count} events lost"
    if event.event_type == "appeared":
        return f"+ {event.label} {event.confidence:.2f}"
    return f"- {event.label}"
