"""What is known of all devices now: filled by the listener's thread, looked at by the one that draws.

Bounded whatever a broker sends: so many devices, cameras, present labels and events, each of a bounded size. What is
beyond that is counted and passed over.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from edged.watch.reports import Happened, Health, Labels, Model, Presence, Status, UnreadableError, Update, parse_report
from edged.watch.topic import Kind, parse_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.watch.reports import Report
    from edged.watch.topic import Address

MOST_DEVICES: Final = 2_000
MOST_CAMERAS: Final = 4_000
MOST_PRESENT: Final = 20_000
MOST_EVENTS: Final = 200


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. `heard`: when its last labels came (monotonic, s); `rate`: how many results come a second."""

    labels: Labels | None = None
    heard: float | None = None
    rate: float = 0.0
    present: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Device:
    """One device; None for what it has not said."""

    name: str
    online: bool | None = None
    health: Health | None = None
    model: Model | None = None
    update: Update | None = None
    cameras: Mapping[str, Camera] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, and where it happened."""

    device: str
    camera: str
    event: Happened


@dataclass(frozen=True, slots=True)
class View:
    """All of it at one instant.

    Attributes:
        devices: by name.
        events: the newest last.
        garbage: messages that were not edged's.
        beyond: messages about devices, cameras or labels that are too many.
    """

    devices: tuple[Device, ...] = ()
    events: tuple[Entry, ...] = ()
    garbage: int = 0
    beyond: int = 0


class Devices:
    """The devices whose names fit a pattern (`*`: all). Any thread may call it.

    `told` is called with every report that was taken in, and the device before and after it.
    """

    def __init__(
        self, pattern: str = "*", told: Callable[[Device | None, Device, Address, Report], None] | None = None
    ) -> None:
        self._pattern = pattern
        self._told = told
        self._lock = threading.Lock()
        self._devices: dict[str, Device] = {}
        self._events: deque[Entry] = deque(maxlen=MOST_EVENTS)
        self._cameras = 0
        self._present = 0
        self._garbage = 0
        self._beyond = 0

    def hear(self, topic: str, payload: bytes, now: float) -> None:
        """Take in one message. `now`: monotonic seconds. Never raises, whatever it is."""
        address = parse_topic(topic)
        if address is not None and not fnmatchcase(address.device, self._pattern):
            return
        if address is None:
            self._count_garbage()
            return
        if not payload and address.kind is not Kind.PRESENT:
            self._forget_topic(address)
            return
        try:
            report = parse_report(address.kind, payload)
        except UnreadableError:
            self._count_garbage()
            return
        with self._lock:
            before = self._devices.get(address.device)
            after = self._with(before, address, report, now)
        if after is not None and self._told is not None:
            self._told(before, after, address, report)

    def view(self) -> View:
        """All that is known."""
        with self._lock:
            devices = tuple(sorted(self._devices.values(), key=lambda device: device.name))
            return View(devices, tuple(self._events), self._garbage, self._beyond)

    def forget(self) -> None:
        """A new connection begins: what is retained comes again at once, and what is not is not so any more."""
        with self._lock:
            self._devices.clear()
            self._cameras = self._present = 0

    def _count_garbage(self) -> None:
        with self._lock:
            self._garbage += 1

    def _forget_topic(self, address: Address) -> None:
        """An empty retained message: somebody has taken a device away."""
        with self._lock:
            device = self._devices.get(address.device)
            if device is not None and address.kind is Kind.STATUS:
                del self._devices[address.device]
                self._cameras -= len(device.cameras)
                self._present -= sum(len(camera.present) for camera in device.cameras.values())

    def _with(self, before: Device | None, address: Address, report: Report, now: float) -> Device | None:
        """The device with what a report says, put in; None where there are too many."""
        device = before or Device(address.device)
        if before is None and len(self._devices) >= MOST_DEVICES:
            self._beyond += 1
            return None
        match report:
            case Status():
                device = replace(device, online=report.online)
            case Health():
                device = replace(device, health=report)
            case Model():
                device = replace(device, model=report)
            case Update():
                device = replace(device, update=report)
            case Labels() | Presence() | Happened():
                changed = self._with_camera(device, address, report, now)
                if changed is None:
                    self._beyond += 1
                    return None
                device = changed
        self._devices[address.device] = device
        return device

    def _with_camera(
        self, device: Device, address: Address, report: Labels | Presence | Happened, now: float
    ) -> Device | None:
        name = address.camera or ""
        new = name not in device.cameras
        if new and self._cameras >= MOST_CAMERAS:
            return None
        camera = device.cameras.get(name, Camera())
        match report:
            case Labels():
                camera = replace(camera, labels=report, heard=now, rate=_rate(camera, now))
            case Presence():
                slug = address.slug or ""
                present = camera.present | {slug} if report.present else camera.present - {slug}
                if len(present) > len(camera.present) and self._present >= MOST_PRESENT:
                    return None
                self._present += len(present) - len(camera.present)
                camera = replace(camera, present=present)
            case Happened():
                self._events.append(Entry(device.name, name, report))
        self._cameras += new
        return replace(device, cameras={**device.cameras, name: camera})


def _rate(camera: Camera, now: float) -> float:
    """Results a second, from a mean interval of about the last ten; 0 until there are two results."""
    if camera.heard is None:
        return 0.0
    interval = max(now - camera.heard, 1e-3)
    return 1.0 / (interval if camera.rate == 0.0 else 0.9 / camera.rate + 0.1 * interval)
