"""The kernel's virtual camera: its switches, and where it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from linuxpy.video import device as v4l2

from edged.camera.v4l2_list import list_cameras

DRIVER: Final = Path("/sys/bus/platform/drivers/vivid")


def find_vivid() -> Path | None:
    """The node of the first vivid camera on this machine; None when there is none."""
    return next((camera.node for camera in list_cameras() if camera.name.startswith("vivid")), None)


class Vivid:
    """What the virtual camera shows, and what it does wrong. Names are its controls', as linuxpy writes them."""

    def __init__(self, node: Path) -> None:
        self.node = node

    def set(self, **values: int | str) -> None:
        """Set controls; a menu's by the words of its item."""
        with v4l2.Device(self.node) as device:
            for name, value in values.items():
                control = device.controls[name]
                control.value = value if isinstance(value, int) else _item(control.data, value)

    def push(self, name: str) -> None:
        """Push a button: a fault is injected."""
        with v4l2.Device(self.node) as device:
            device.controls[name].push()

    def reset(self) -> None:
        """A still test pattern without text over it, and no faults."""
        self.set(
            test_pattern="100% Colorbar",
            osd_text_mode="None",
            percentage_of_dropped_buffers=0,
            quantization=0,
            colorspace="sRGB",
        )
        with v4l2.Device(self.node) as device:
            device.controls["y'cbcr_encoding"].value = 0


def plug(*, plugged: bool) -> None:
    """Take the camera off its bus, or put it on."""
    (DRIVER / ("bind" if plugged else "unbind")).write_text("vivid.0")


def open_handles(node: Path) -> tuple[int, int]:
    """How many descriptors, and how many mappings, this process has of the camera."""
    descriptors = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    mappings = Path("/proc/self/maps").read_text("ascii", "replace").splitlines()
    return descriptors.count(str(node)), sum(line.endswith(f" {node}") for line in mappings)


def _item(menu: dict[int, str], words: str) -> int:
    return next(number for number, text in menu.items() if text == words)
