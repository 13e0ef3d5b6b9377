"""What changes, a line each: for pipes, files and terminals that cannot move a cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.watch.reports import Happened, Health, Labels, Model, Presence, Status, Update
from edged.watch.words import camera_words, event_words, model_words, troubles

if TYPE_CHECKING:
    from edged.watch.devices import Device
    from edged.watch.listener import Link
    from edged.watch.reports import Report
    from edged.watch.topic import Address

MOST_LABELS: Final = 5


def link_line(link: Link) -> str:
    """How the connection is."""
    if link.version is None:
        return f"no connection to {link.where}: {link.reason}"
    reason = f": {link.reason}" if link.reason else ""
    return f"connected to {link.where} (MQTT {link.version}){reason}"


def changes(  # noqa: PLR0911  one for each kind of report
    before: Device | None, after: Device, address: Address, report: Report
) -> list[str]:
    """What a report says that was not known before it; for labels, only when they are other ones."""
    match report:
        case Status():
            news = before is None or before.online != report.online
            return [f"{after.name}  {'online' if report.online else 'offline'}"] if news else []
        case Labels():
            return _labels(before, address, report)
        case Presence():
            was = before is not None and address.slug in _present(before, address.camera)
            if report.present is None or was == report.present:
                return []
            return [f"{after.name}/{address.camera}  {address.slug}: {'present' if report.present else 'gone'}"]
        case Happened():
            return [f"{after.name}/{address.camera}  event {report.sequence}: {event_words(report)}"]
        case Health():
            return _health(before, after)
        case Model() | Update():
            words, old = model_words(after), "" if before is None else model_words(before)
            return [f"{after.name}  model: {words}", *_troubles(before, after)] if words != old else []


def _labels(before: Device | None, address: Address, report: Labels) -> list[str]:
    camera = None if before is None else before.cameras.get(address.camera or "")
    texts = [label.text for label in report.labels[:MOST_LABELS]]
    if camera is not None and camera.labels is not None:
        old = [label.text for label in camera.labels.labels[:MOST_LABELS]]
        if set(old) == set(texts):
            return []
    words = ", ".join(f"{label.text} {label.confidence:.2f}" for label in report.labels[:MOST_LABELS]) or "-"
    return [f"{address.device}/{address.camera}  {words}"]


def _health(before: Device | None, after: Device) -> list[str]:
    old = {} if before is None or before.health is None else before.health.cameras
    lines = _troubles(before, after)
    if after.health is not None:
        for name, state in after.health.cameras.items():
            if name not in old or camera_words(old[name]) != camera_words(state):
                lines.append(f"{after.name}/{name}  {camera_words(state)}")
    return lines


def _troubles(before: Device | None, after: Device) -> list[str]:
    now, old = troubles(after), [] if before is None else troubles(before)
    lines = [f"{after.name}  ! {trouble}" for trouble in now if trouble not in old]
    return [*lines, f"{after.name}  well again"] if old and not now else lines


def _present(device: Device, camera: str | None) -> frozenset[str]:
    found = device.cameras.get(camera or "")
    return frozenset() if found is None else found.present
