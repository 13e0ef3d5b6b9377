"""A V4L2 camera that is giving frames, through linuxpy's ioctls and structures."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from linuxpy.video import device as v4l2
from linuxpy.video import raw

from edged.camera.geometry import Size
from edged.camera.v4l2_formats import COMPRESSED, USUAL_SIZE, Format, Mode, alternatives
from edged.camera.v4l2_modes import CAPTURE, FORMATS, card, codes, colours, letters, modes
from edged.camera.v4l2_picture import Layout, row_bytes
from edged.camera.v4l2_words import others
from edged.errors import SourceError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from edged.camera.source import SourceOptions

log = logging.getLogger(__name__)
logging.getLogger("linuxpy").setLevel(logging.WARNING)  # it says every opening, and in debug every call

WANTED_SECONDS: Final = 3.0  # to wait for the model's size
BUFFERS: Final = 3  # one being filled, one for the time that the reader is late, one being read

_MMAP: Final = raw.Memory.MMAP
_VIDEO_MAJOR: Final = 81  # the kernel's devices.txt


@dataclass(frozen=True, slots=True)
class Filled:
    """A buffer that the driver has filled; `damaged` when the driver says that it is not what the camera sent."""

    index: int
    length: int
    damaged: bool


class Capture(Protocol):
    """A camera that fills `buffers` buffers, one after the other, while there is one that is not filled.

    Every method may raise the OSError of the driver.
    """

    name: str
    layout: Layout
    buffers: int

    def wait(self, timeout: float) -> bool:
        """Wait until a buffer is filled, at most `timeout` seconds. False when none is."""

    def dequeue(self) -> Filled | None:
        """Take the buffer that was filled first; None when none is."""

    def copy(self, filled: Filled) -> bytes:
        """The bytes of a taken buffer."""

    def enqueue(self, filled: Filled) -> None:
        """Give a taken buffer back, to be filled anew."""

    def close(self) -> None:
        """Stop, give everything back. Never raises."""


class V4l2Capture:
    """See `Capture`."""

    def __init__(self, node: Path, options: SourceOptions, formats: Collection[Format] = tuple(Format)) -> None:
        """Open the camera, ask for the best of its modes, and start it.

        Raises:
            OSError: the driver refuses.
            SourceError: it is no camera, or none whose frames can be read.
        """
        with contextlib.ExitStack() as stack:
            device = _open(node, stack)
            self.name = card(device)
            wanted = options.wanted.wait(WANTED_SECONDS) or USUAL_SIZE
            offered = modes(device, formats, wanted, options.fps)
            if not offered:
                raise SourceError(
                    f"{node} ({self.name}): it gives {', '.join(map(letters, codes(device))) or 'nothing'}, and edged"
                    f" reads {', '.join(kind.value for kind in formats)}; the source of a camera on the Raspberry Pi's"
                    " ribbon cable is 'picamera'"
                )
            start_one(
                alternatives(offered, wanted, options.fps), lambda mode: self._start(device, mode, options.fps, stack)
            )
            self._device = device
            self._poll = select.poll()
            self._poll.register(device.fileno(), select.POLLIN)
            self._stack = stack.pop_all()

    def wait(self, timeout: float) -> bool:
        """See `Capture.wait`."""
        events = self._poll.poll(timeout * 1000)
        if events and not events[0][1] & select.POLLIN:
            self.dequeue()  # this says what is wrong
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bool(events)

    def dequeue(self) -> Filled | None:
        """See `Capture.dequeue`."""
        try:
            buffer = v4l2.dequeue_buffer(self._device, CAPTURE, _MMAP)
        except BlockingIOError:
            return None
        return Filled(buffer.index, buffer.bytesused, bool(buffer.flags & raw.BufferFlag.ERROR))

    def copy(self, filled: Filled) -> bytes:
        """See `Capture.copy`."""
        return self._memory[filled.index][: filled.length]

    def enqueue(self, filled: Filled) -> None:
        """See `Capture.enqueue`."""
        v4l2.enqueue_buffer(self._device, CAPTURE, _MMAP, 0, filled.index)

    def close(self) -> None:
        """See `Capture.close`."""
        self._stack.close()

    def _start(self, device: v4l2.Device, mode: Mode, fps: float, outer: contextlib.ExitStack) -> None:
        with contextlib.ExitStack() as stack:
            self.layout = _configure(device, mode, fps)
            stack.callback(_try, lambda: v4l2.free_buffers(device, CAPTURE, _MMAP))
            # Drivers may give more than asked for, and start only once all those are queued.
            self.buffers = v4l2.request_buffers(device, CAPTURE, _MMAP, BUFFERS).count
            self._memory: list[mmap.mmap] = []
            for index in range(self.buffers):
                memory = v4l2.mmap_from_buffer(device, v4l2.query_buffer(device, CAPTURE, _MMAP, index))
                stack.callback(memory.close)
                self._memory.append(memory)
                v4l2.enqueue_buffer(device, CAPTURE, _MMAP, 0, index)
            stack.callback(_try, lambda: v4l2.stream_off(device, CAPTURE))
            v4l2.stream_on(device, CAPTURE)
            outer.push(stack.pop_all())


def _open(node: Path, stack: contextlib.ExitStack) -> v4l2.Device:
    status = node.stat()
    if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) != _VIDEO_MAJOR:  # opening may mean something there
        raise SourceError(f"{node}: not a camera")
    device = v4l2.Device(node, blocking=False)
    device.open()
    stack.callback(_try, device.close)
    abilities = raw.Capability(device.info.raw_capabilities.device_caps)
    if raw.Capability.VIDEO_CAPTURE not in abilities or raw.Capability.STREAMING not in abilities:
        what = "a camera's metadata" if raw.Capability.META_CAPTURE in abilities else "no pictures that edged can read"
        raise SourceError(f"{node} ({card(device)}): this node gives {what}; {others()}")
    return device


def _configure(device: v4l2.Device, mode: Mode, fps: float) -> Layout:
    """Ask for the mode, and see what became of it: drivers change silently what they cannot do."""
    pix = v4l2.set_format(device, CAPTURE, mode.size.width, mode.size.height, mode.format.value).fmt.pix
    kind = FORMATS.get(pix.pixelformat)
    if kind is None:
        raise OSError(errno.EINVAL, f"{letters(pix.pixelformat)} instead of {mode}")
    with contextlib.suppress(OSError):  # a driver without rates, such as one of an analogue camera
        v4l2.set_fps(device, CAPTURE, mode.rate(fps))
    size = Size(pix.width, pix.height)
    stride = pix.bytesperline or row_bytes(kind, size.width)
    if kind not in COMPRESSED and stride < row_bytes(kind, size.width):
        raise OSError(errno.EINVAL, f"rows of {stride} bytes in {mode}")
    layout = Layout(kind, size, stride, *colours(pix.colorspace, pix.ycbcr_enc, pix.quantization))
    log.debug("%s: %s wanted, %s", device.filename, mode, layout)
    return layout


def start_one(modes: Sequence[Mode], start: Callable[[Mode], None]) -> None:
    """Start the first mode that the bus has room for.

    Raises:
        OSError: there is none, or the driver has another reason not to start.
    """
    for mode in modes[:-1]:
        try:
            return start(mode)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            log.debug("no room on the bus for %s", mode)
    return start(modes[-1])


def _try(give_back: Callable[[], object]) -> None:
    """Of a camera that is gone, nothing can be given back, and nothing need be."""
    try:
        give_back()
    except OSError as error:
        log.debug("closing a camera: %s", error)
