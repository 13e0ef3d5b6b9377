"""A view to the lines of a terminal of a given size: pure, so that every line fits whatever the size is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from edged.watch.devices import Camera
from edged.watch.words import ailing, camera_words, event_words, machine_words, model_words, troubles, well

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.watch.devices import Device, Entry, View
    from edged.watch.listener import Link
    from edged.watch.reports import Seen

DETAILS: Final = (8, 5, 3, 2, 1)
"""How many labels a camera may show: as many as fit for all of them; else each camera has one line."""
STALE_S: Final = 10.0  # without a result: no labels are shown as if they were of now
LEAST_EVENTS: Final = 3
MOST_EVENTS: Final = 8
BAR: Final = 24


@dataclass(frozen=True, slots=True)
class Screen:
    """What does not hang on the view.

    Attributes:
        width, height: the terminal's, in characters.
        now: monotonic seconds.
        encoding: the terminal's; what it does not have is drawn with what every one has.
        clock: the time for people.
        first: how many lines the user has gone down.
    """

    width: int
    height: int
    now: float
    encoding: str = "utf-8"
    clock: str = ""
    first: int = 0

    @property
    def blocks(self) -> bool:
        """Whether the terminal has more than ASCII."""
        try:
            "●█░…°·".encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True


def draw(view: View, link: Link, screen: Screen) -> list[Text]:
    """The lines, `screen.height` at most, none wider than `screen.width`."""
    head = [_head(view, link, screen), *_connection(link, screen)]
    if link.version is not None and not view.devices:
        head.append(Text("no device has said anything yet: is one online there (edged run), with this broker?", "dim"))
    events = _events(view.events, screen, screen.height - len(head))
    room = max(0, screen.height - len(head) - len(events))
    body = _body(view, screen, room, connected=link.version is not None)
    first = min(screen.first, max(0, len(body) - room))
    if len(body) - first > room:
        left = len(body) - first - max(0, room - 1)
        body = [
            *body[: first + max(0, room - 1)],
            Text(f"… {left} more lines: arrow keys, a taller window, or `edged watch --device 'porch*'`", "yellow"),
        ]
    lines = [*head, *body[first:][:room]]
    lines += [Text()] * (screen.height - len(events) - len(lines))
    lines = [*lines, *events][: screen.height]
    for line in lines:
        if not screen.blocks:
            line.plain = line.plain.encode(screen.encoding, "replace").decode(screen.encoding)
        line.truncate(screen.width, overflow="ellipsis" if screen.blocks else "crop")
    return lines


def _head(view: View, link: Link, screen: Screen) -> Text:
    cameras = sum(len(device.cameras) for device in view.devices)
    rate = sum(camera.rate for device in view.devices for camera in device.cameras.values() if _fresh(camera, screen))
    words = f"{_many(len(view.devices), 'device')}, {_many(cameras, 'camera')}, {rate:.1f} results/s"
    if view.garbage:
        words += f", {_many(view.garbage, 'message')} unreadable"
    if view.beyond:
        words += f", {_many(view.beyond, 'message')} about more than this can hold"
    line = Text.assemble(("edged watch", "bold"), f"  {link.where}  ", (words, "dim"))
    gap = screen.width - line.cell_len - len(screen.clock)
    return line.append(" " * gap + screen.clock, "dim") if gap > 1 else line


def _connection(link: Link, screen: Screen) -> list[Text]:
    if link.version is None and link.reason is None:
        return [Text("connecting …", "yellow")]
    if link.version is None:
        again = "" if link.retry is None else f"; again in {max(0.0, link.retry - screen.now):.0f} s"
        stale = "; what is below was so then" if link.connects else ""
        return [Text(f"no connection: {link.reason}{again}{stale}", "bold red")]
    return [] if link.reason is None else [Text(link.reason, "bold red")]


def _events(entries: Sequence[Entry], screen: Screen, room: int) -> list[Text]:
    """The newest, below; more of them on a taller screen, none on one that is too small for both."""
    count = min(len(entries), max(LEAST_EVENTS, min(MOST_EVENTS, screen.height // 4)))
    if not count or room < count + 4:
        return []
    lines = [Text("events", "bold")]
    for entry in entries[-count:]:
        colour = {"appeared": "green", "disappeared": "dim", "lost": "red"}[entry.event.event_type]
        when = f"{entry.event.time.astimezone():%H:%M:%S}"
        lines.append(
            Text.assemble((when, "dim"), f" {entry.device}/{entry.camera} ", (event_words(entry.event), colour))
        )
    return lines


def _body(view: View, screen: Screen, room: int, *, connected: bool) -> list[Text]:
    """The devices, in as much detail as fits; where not all fit, those with troubles first."""
    body: list[Text] = []
    for most in DETAILS:
        body = [line for device in view.devices for line in _device(device, screen, most)]
        if len(body) <= room:
            break
    else:
        ordered = sorted(view.devices, key=lambda device: not ailing(device))
        body = [line for device in ordered for line in _device(device, screen, 0)]
    if not connected:
        for line in body:
            line.stylize("dim")
    return body


def _device(device: Device, screen: Screen, most: int) -> list[Text]:
    lines = [_title(device, screen)]
    health = device.health
    states = {} if health is None else health.cameras
    if device.online is not False:
        lines += [Text(f"  ! {trouble}", "red") for trouble in troubles(device)]
    for name in sorted({*device.cameras, *states}):
        camera, state = device.cameras.get(name, Camera()), states.get(name)
        line = Text.assemble("  ", (name, "bold"))
        if state is not None and not well(state):
            line.append(f"  {camera_words(state)}", "red")
        elif state is not None and state.state != "running":
            line.append(f"  {camera_words(state)}", "dim")
        if device.online is False:
            lines.append(line)
            continue
        if _fresh(camera, screen) and camera.rate:
            line.append(f"  {camera.rate:.1f}/s", "dim")
        for slug in sorted(camera.present):
            line.append("  ").append(f" {slug} ", "reverse green")
        seen = camera.labels.labels if camera.labels is not None and _fresh(camera, screen) else ()
        if most == 0 and seen:
            line.append(f"  {', '.join(f'{one.text} {one.confidence:.2f}' for one in seen[:3])}")
        lines += [line, *_bars(seen[:most], screen)]
    return lines


def _title(device: Device, screen: Screen) -> Text:
    mark = ("●" if screen.blocks else "*", {True: "green", False: "red", None: "yellow"}[device.online])
    line = Text.assemble(mark, " ", (device.name, "bold cyan"))
    if device.online is False:
        return line.append("  offline", "red")
    words = [model_words(device), *([] if device.health is None else machine_words(device.health))]
    return line.append("  " + " · ".join(filter(None, words)) if any(words) else "", "dim")


def _bars(seen: Sequence[Seen], screen: Screen) -> list[Text]:
    texts = min(24, max(8, screen.width // 3))
    length = max(0, min(BAR, screen.width - texts - 12))
    lines = []
    for one in seen:
        text = Text(one.text)
        text.truncate(texts, overflow="ellipsis" if screen.blocks else "crop", pad=True)
        full, rest = ("█", "░") if screen.blocks else ("#", ".")
        filled = round(one.confidence * length)
        colour = "green" if one.confidence >= 0.5 else "yellow"  # noqa: PLR2004  likelier than not
        lines.append(
            Text.assemble(
                "    ", text, " ", (full * filled, colour), (rest * (length - filled), "dim"), f" {one.confidence:.2f}"
            )
        )
    return lines


def _fresh(camera: Camera, screen: Screen) -> bool:
    return camera.heard is not None and screen.now - camera.heard < STALE_S


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
