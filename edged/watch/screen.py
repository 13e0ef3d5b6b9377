"""A view to the lines of a terminal of a given size: pure, so that every line fits whatever the size is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from edged.watch.device_lines import count_lines, device_lines, fresh
from edged.watch.words import ailing, event_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.watch.device_lines import Screen
    from edged.watch.devices import Entry, View
    from edged.watch.listener import Link

DETAILS: Final = (8, 5, 3, 2, 1)
"""How many labels a camera may show: as many as fit for all of them; else each camera has one line."""
LEAST_EVENTS: Final = 3
MOST_EVENTS: Final = 8


def draw(view: View, link: Link, screen: Screen) -> list[Text]:
    """The lines, `screen.height` at most, none wider than `screen.width`."""
    head = [_head(view, link, screen), *_connection(link, screen)]
    if link.version is not None and not view.devices:
        head.append(Text("no device has said anything yet: is one online there (edged run), with this broker?", "dim"))
    events = _events(view.events, screen, screen.height - len(head))
    room = max(0, screen.height - len(head) - len(events))
    lines = [*head, *_body(view, screen, room, connected=link.version is not None)]
    lines += [Text()] * (screen.height - len(events) - len(lines))
    lines = [*lines, *events][: screen.height]
    for line in lines:
        if not screen.blocks:
            line.plain = line.plain.encode(screen.encoding, "replace").decode(screen.encoding)
        line.truncate(screen.width, overflow="ellipsis" if screen.blocks else "crop")
    return lines


def _head(view: View, link: Link, screen: Screen) -> Text:
    cameras = sum(len(device.cameras) for device in view.devices)
    rate = sum(camera.rate for device in view.devices for camera in device.cameras.values() if fresh(camera, screen))
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
    """The devices, in as much detail as fits; where not all fit, those that are not well first."""
    most = next((most for most in DETAILS if _total(view, screen, most) <= room), 0)
    total = _total(view, screen, most)
    devices = view.devices if total <= room else sorted(view.devices, key=lambda device: not ailing(device))
    first = min(screen.first, max(0, total - room))
    body: list[Text] = []
    for device in devices:
        if len(body) >= first + room:  # a thousand devices are counted, and not drawn
            break
        body += device_lines(device, screen, most)
    if not connected:
        for line in body:
            line.stylize("dim")
    if total - first <= room or not room:
        return body[first : first + room]
    left = total - first - (room - 1)
    more = Text(f"… {left} more lines: arrow keys, a taller window, or `edged watch --device 'porch*'`", "yellow")
    return [*body[first : first + room - 1], more]


def _total(view: View, screen: Screen, most: int) -> int:
    return sum(count_lines(device, screen, most) for device in view.devices)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
