"""What keeps a Raspberry Pi camera from giving pictures, in words, and what to do about it."""

from __future__ import annotations

import errno
import os
from glob import glob
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SEEN_BY_VENV: Final = (
    "; then it must be seen: make the virtual environment with the system's own Python and --system-site-packages"
)

# What to install for a module that is missing. They come with the system: none of them works from a package index.
MISSING_LIBRARIES: Final = {
    "picamera2": f"picamera2 is not installed: sudo apt install python3-picamera2{_SEEN_BY_VENV}",
    "libcamera": f"libcamera's Python bindings are missing: sudo apt install python3-libcamera{_SEEN_BY_VENV}",
    "pykms": f"picamera2 needs pykms: sudo apt install python3-kms++{_SEEN_BY_VENV}",
    "prctl": f"picamera2 needs prctl: sudo apt install python3-prctl{_SEEN_BY_VENV}",
}
BROKEN_LIBRARY: Final = (
    "picamera2 is there but cannot be loaded ({}): sudo apt install --reinstall python3-picamera2 python3-libcamera; a"
    " virtual environment must be of the system's own Python"
)

_LIST: Final = "`rpicam-hello --list-cameras` shows what the system finds"
_GROUP: Final = "add the user that edged runs as to the group video (sudo usermod -aG video USER), then start it anew"

DEVICES: Final = ("/dev/media*", "/dev/dma_heap/*")


def no_such_camera(number: int, cameras: Sequence[tuple[str, str]], devices: Iterable[str] = DEVICES) -> str | None:
    """What is wrong with a camera's number; None when nothing is.

    Args:
        number: counted from 0.
        cameras: model and libcamera's id of each camera there is, in picamera2's order.
        devices: patterns of paths that libcamera opens: one that it may not open looks to it like no camera.
    """
    if not cameras:
        for path in sorted(path for pattern in devices for path in glob(pattern)):  # noqa: PTH207  absolute patterns
            if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
                return f"{path} may not be opened, so no camera is found: {_GROUP}"
        return f"no camera is found: check both ends of its cable and start the Pi anew; {_LIST}"
    if number >= len(cameras):
        there = ", ".join(f"picamera:{place} ({model})" for place, (model, _) in enumerate(cameras))
        return f"there is no picamera:{number}; there {'is' if len(cameras) == 1 else 'are'} {there}; {_LIST}"
    model, path = cameras[number]
    if "/usb" in path:
        return f"picamera:{number} ({model}) is a USB camera: give its source as v4l2:/dev/video0, or another number"
    return None


def what_went_wrong(name: str, error: BaseException) -> str:
    """An exception of picamera2 or libcamera, whose cause says more than it does, as a sentence about the camera."""
    chain = _chain(error)
    texts = [str(link) or type(link).__name__ for link in chain]
    codes = {link.errno for link in chain if isinstance(link, OSError)}
    said = " ".join(texts)
    if errno.EBUSY in codes or os.strerror(errno.EBUSY) in said or "Pipeline handler in use" in said:
        return (
            f"{name}: the camera is in use, by another program or by another camera of this configuration;"
            " `sudo fuser -v /dev/media* /dev/video*` shows by which"
        )
    # For libcamera, EACCES is also a call at the wrong time: only when a camera is acquired is it about permissions.
    if codes & {errno.EACCES, errno.EPERM} or f"acquire camera: {os.strerror(errno.EACCES)}" in said:
        return f"{name}: permission denied ({texts[-1]}): {_GROUP}"
    if errno.ENOMEM in codes or os.strerror(errno.ENOMEM) in said:
        return f"{name}: no memory for its pictures ({texts[-1]}): close other programs that use a camera or the screen"
    return f"{name}: {texts[-1]}; {_LIST}"


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and its causes, the innermost last."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
