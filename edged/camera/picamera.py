"""A Raspberry Pi camera through picamera2, whose hardware scales the picture to about the model's size.

Facts about picamera2 and libcamera here are those of picamera2 0.3.38 on libcamera 0.4.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Final

from edged.camera.picamera_configure import configure
from edged.camera.picamera_words import BROKEN_LIBRARY, MISSING_LIBRARIES, no_such_camera, what_went_wrong
from edged.camera.source import Pace, Shot
from edged.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from picamera2 import Picamera2
    from picamera2.job import Job
    from picamera2.request import CompletedRequest

    from edged.camera.source import SourceOptions

log = logging.getLogger(__name__)

WANTED_SECONDS: Final = 3.0
ALONE_SECONDS: Final = 4.0  # opening and closing take less than 1 s; what takes longer hangs in the kernel
LATE_SECONDS: Final = 0.2


class PicameraSource:
    """Frames of one camera, as the planes that its hardware wrote: all of its field of view, scaled."""

    pace = Pace.LIVE

    def __init__(self, number: int, options: SourceOptions) -> None:
        self._name = f"picamera:{number}"
        wanted = options.wanted.wait(WANTED_SECONDS)
        library = _library()
        with _turns.alone():
            self._camera = _open(library, number)
            try:
                self._layout = configure(self._camera, wanted, options.fps)
                self._camera.start()
            except Exception as error:
                _give_back(self._camera)
                if isinstance(error, SourceError):
                    raise
                raise SourceError(what_went_wrong(self._name, error)) from error

    def read(self, timeout: float) -> Shot:
        """See `Source.read`. The picture is a copy: a camera whose buffers are held stands still."""
        try:
            request = self._request(timeout)
            try:
                array = request.make_array("lores")
            finally:
                request.release()
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(what_went_wrong(self._name, error)) from error
        return Shot(self._layout.picture(array))

    def close(self) -> None:
        """Stop the camera and give it back. A camera that died may keep this waiting: nothing here can bound it."""
        with _turns.alone():
            _give_back(self._camera)

    def _request(self, timeout: float) -> CompletedRequest:
        job = self._camera.capture_request(wait=False)
        try:
            return self._camera.wait(job, timeout)
        except TimeoutError:
            return self._late_request(job, timeout)

    def _late_request(self, job: Job[CompletedRequest], timeout: float) -> CompletedRequest:
        """Take back a request for a frame: left in the queue, it would keep the buffer that it is given for ever."""
        self._camera.cancel_all_and_flush()
        try:
            return job.get_result(timeout=LATE_SECONDS)  # it may have been served at this very moment
        except (CancelledError, TimeoutError):
            raise SourceError(
                f"{self._name}: no frame for {timeout:g} s; where this stays, check the camera's cable and the log of"
                " the kernel (dmesg)"
            ) from None


def _library() -> type[Picamera2]:
    """picamera2, where it and all that it needs is there."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # read once, when libcamera is loaded
    os.environ.setdefault("LIBCAMERA_LOG_NO_COLOR", "1")
    try:
        import picamera2  # noqa: PLC0415  46 MB, and only on a Raspberry Pi
    except ModuleNotFoundError as error:
        raise SourceError(MISSING_LIBRARIES.get(error.name or "", BROKEN_LIBRARY.format(error))) from error
    except Exception as error:  # built for another numpy, another Python
        raise SourceError(BROKEN_LIBRARY.format(error)) from error
    logging.getLogger("picamera2").setLevel(logging.WARNING)
    logging.getLogger("picamera2.picamera2").setLevel(logging.CRITICAL)  # its errors are raised too: said once, by us
    library: type[Picamera2] = picamera2.Picamera2
    return library


class _Turns:
    """Opens and closes one camera at a time.

    Opening one while the last of the others is being closed leaves picamera2 waiting for a thread that does not end.
    But who hangs, in a driver, must not stop the others: after a while they no longer wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        since = self._since
        left = ALONE_SECONDS if since is None else since + ALONE_SECONDS - time.monotonic()
        held = self._lock.acquire(timeout=max(0.0, left))
        if held:
            self._since = time.monotonic()
        try:
            yield
        finally:
            if held:
                self._since = None
                self._lock.release()


_turns: Final = _Turns()


def _open(library: type[Picamera2], number: int) -> Picamera2:
    """A camera that is ours, not yet configured.

    Raises:
        SourceError: there is no such camera, another program has it, or it may not be used.
    """
    try:
        cameras = library.global_camera_info()
    except Exception as error:
        raise SourceError(what_went_wrong(f"picamera:{number}", error)) from error
    if problem := no_such_camera(number, [(info.get("Model", "unnamed"), info["Id"]) for info in cameras]):
        raise SourceError(problem)
    # In two steps, so that there is something to give back when the second fails: it would lose a descriptor each time.
    camera = object.__new__(library)
    try:
        camera.__init__(number)  # as `Picamera2(number)` does
    except Exception as error:
        _give_back(camera)
        raise SourceError(what_went_wrong(f"picamera:{number}", error)) from error
    # picamera2 closes its cameras when Python ends. One that hangs in that would keep the daemon from ending.
    atexit.unregister(camera.close)
    return camera


def _give_back(camera: Picamera2) -> None:
    """Close a camera, in whatever state it is.

    Its `stop` is not called: it waits for its event thread, without end where that one died. `close` does not, and
    stops it as well.
    """
    try:
        camera.close()
    except Exception as error:  # noqa: BLE001  half-open or dead: what counts is that all is let go
        log.debug("closing a camera: %r", error)
    notify = getattr(camera, "notifymeread", None)
    if notify is not None and not notify.closed:  # `close` gave up, or saw nothing open
        notify.close()
        os.close(camera.notifyme_w)
    camera.is_open = False  # else it is closed once more when it is collected, and descriptors with it that are others'
    atexit.unregister(camera.close)
    gc.collect()  # a closed camera keeps a descriptor, and its parts hold each other
