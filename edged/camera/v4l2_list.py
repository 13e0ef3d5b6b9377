"""Cameras with a V4L2 driver (USB webcams and the like), as the kernel lists them in sysfs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path("/")

# Nodes on every Raspberry Pi that are no webcams: codecs, image processors, and the raw ends of the ribbon-cable
# cameras, which need libcamera (`picamera`).
_NO_WEBCAMS: Final = ("bcm2835-codec", "bcm2835-isp", "pispbe", "rpivid", "rpi-hevc", "rp1-cfe", "unicam")


@dataclass(frozen=True, slots=True)
class V4l2Camera:
    """One camera that is attached now.

    Attributes:
        node: what a process opens: `/dev/video0`. Numbers may change at every start.
        name: as the camera gives it.
        readable: whether this process may open it.
        link: its name in /dev/v4l/by-id, which stays the same; None where udev made none.
    """

    node: Path
    name: str
    readable: bool
    link: Path | None = None


def node_of(device: str, root: Path = ROOT) -> Path:
    """What a source's `v4l2:…` means: a path, or the number of a node."""
    return root / "dev" / f"video{int(device)}" if device.isdecimal() else Path(device)


def list_cameras(root: Path = ROOT) -> tuple[V4l2Camera, ...]:
    """All that are attached now, in the order of their numbers. `root` is where /sys and /dev begin.

    A camera's further nodes (a UVC camera's metadata) are left out, and so is what vanishes meanwhile.
    """
    found = []
    for folder in _entries(root / "sys/class/video4linux"):
        number = folder.name.removeprefix("video")
        name = _text(folder / "name")
        if number == folder.name or not number.isdecimal():  # v4l-subdev0, vbi0, radio0
            continue
        if _text(folder / "index") not in {"0", ""} or name.startswith(_NO_WEBCAMS):
            continue
        node = root / "dev" / folder.name
        found.append((int(number), V4l2Camera(node, name or folder.name, _readable(node), _link(root, node))))
    return tuple(camera for _, camera in sorted(found, key=lambda pair: pair[0]))


def _link(root: Path, node: Path) -> Path | None:
    for link in _entries(root / "dev/v4l/by-id"):
        if os.path.realpath(link) == os.path.realpath(node):
            return link
    return None


def _readable(node: Path) -> bool:
    return os.access(node, os.R_OK | os.W_OK, effective_ids=True)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()  # the kernel cuts a name at 31 bytes, wherever that is
    except OSError:
        return ""
