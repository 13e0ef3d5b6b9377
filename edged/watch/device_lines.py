"""One device to lines: its title, what is not well, its cameras and their labels as bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from edged.watch.devices import Camera
from edged.watch.words import camera_words, machine_words, model_words, troubles, well

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.watch.devices import Device
    from edged.watch.reports import Seen

STALE_S: Final = 10.0  # without a result: no labels are shown as if they were of now
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


def count_lines(device: Device, screen: Screen, most: int) -> int:
    """How many lines `device_lines` gives, without making them."""
    cameras = _cameras(device, most)
    if device.online is False:
        return 1 + len(cameras)
    bars = sum(len(_seen(device.cameras.get(name, Camera()), screen)[:most]) for name in cameras)
    return 1 + len(troubles(device)) + len(cameras) + bars


def device_lines(device: Device, screen: Screen, most: int) -> list[Text]:
    """The device with so many labels a camera; with 0, each camera's best ones on its own line."""
    lines = [_title(device, screen)]
    states = {} if device.health is None else device.health.cameras
    if device.online is not False:
        lines += [Text(f"  ! {trouble}", "red") for trouble in troubles(device)]
    for name in _cameras(device, most):
        camera, state = device.cameras.get(name, Camera()), states.get(name)
        line = Text.assemble("  ", (name, "bold"))
        if state is not None and not well(state):
            line.append(f"  {camera_words(state)}", "red")
        elif state is not None and state.state != "running":
            line.append(f"  {camera_words(state)}", "dim")
        lines.append(line)
        if device.online is not False:
            lines += _camera(camera, line, screen, most)
    return lines


def _camera(camera: Camera, line: Text, screen: Screen, most: int) -> list[Text]:
    """Goes on with a camera's line, and gives its bars."""
    seen = _seen(camera, screen)
    if fresh(camera, screen) and camera.rate:
        line.append(f"  {camera.rate:.1f}/s", "dim")
    for slug in sorted(camera.present):
        line.append("  ").append(f" {slug} ", "reverse green")
    if most == 0 and seen:
        line.append(f"  {', '.join(f'{one.text} {one.confidence:.2f}' for one in seen[:3])}")
    return _bars(seen[:most], screen)


def _cameras(device: Device, most: int) -> list[str]:
    """The cameras that have a line: of a device that is offline none, where there is little room."""
    if device.online is False and most == 0:
        return []
    return sorted({*device.cameras, *(() if device.health is None else device.health.cameras)})


def _seen(camera: Camera, screen: Screen) -> tuple[Seen, ...]:
    return camera.labels.labels if camera.labels is not None and fresh(camera, screen) else ()


def fresh(camera: Camera, screen: Screen) -> bool:
    """Whether what it saw is of now."""
    return camera.heard is not None and screen.now - camera.heard < STALE_S


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
