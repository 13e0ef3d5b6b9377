"""A camera with a V4L2 driver, such as a USB webcam."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from edged.camera.source import Pace, Shot, SourceOptions
from edged.camera.v4l2_device import Capture, V4l2Capture
from edged.camera.v4l2_list import node_of
from edged.camera.v4l2_picture import picture_of
from edged.camera.v4l2_words import explain
from edged.errors import BadImageError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edged.camera.picture import Picture
    from edged.camera.v4l2_device import Filled

log = logging.getLogger(__name__)


class V4l2Source:
    """The newest frames of a camera. Each is copied out of the driver's memory and stays as it is.

    Args:
        device: `/dev/video0`, a link to it such as those in /dev/v4l/by-id, or its number.
        options: the model's size and the frame rate choose the camera's mode.
        capture: starts the camera.

    Raises:
        SourceError: it is not there, not allowed, in use, or not a camera.
    """

    pace = Pace.LIVE

    def __init__(
        self,
        device: str,
        options: SourceOptions,
        *,
        capture: Callable[[Path, SourceOptions], Capture] = V4l2Capture,
    ) -> None:
        self._node = node_of(device)
        self._shown = str(self._node)
        self._left_out = 0  # damaged frames, in the present `read`
        self._late = False  # whether the present `read` has given old frames back
        try:
            self._capture = capture(self._node, options)
        except (OSError, ValueError) as error:  # ValueError: linuxpy does not know a number that the driver gave
            raise explain(error, self._node, self._shown) from error
        self._shown = f"{self._node} ({self._capture.name})"

    def read(self, timeout: float) -> Shot:
        """See `Source.read`. Damaged frames are left out."""
        deadline = time.monotonic() + timeout
        self._left_out, self._late = 0, False
        try:
            while self._capture.wait(max(0.0, deadline - time.monotonic())):
                picture = self._take()
                if picture is not None:
                    return Shot(picture)
                if time.monotonic() >= deadline:
                    break
        except (OSError, ValueError) as error:
            raise explain(error, self._node, self._shown) from error
        damaged = f"; {self._left_out} damaged ones were left out, is the cable loose?" if self._left_out else ""
        raise SourceError(f"{self._shown}: no picture for {timeout:g} s{damaged}")

    def close(self) -> None:
        """Stop the camera and give its memory back."""
        self._capture.close()

    def _take(self) -> Picture | None:
        filled = self._newest()
        if filled is None:
            return None
        try:
            if filled.damaged:
                raise BadImageError("the driver says that it is damaged")
            return picture_of(self._capture.layout, self._capture.copy(filled), self._shown)
        except BadImageError as error:
            self._left_out += 1
            log.debug("%s: a frame left out (%s)", self._shown, error)
            return None
        finally:
            self._capture.enqueue(filled)

    def _newest(self) -> Filled | None:
        """The newest filled buffer; the others go back to be filled.

        Where all of them are filled the driver had none for newer frames, and nobody knows how old these are: they all
        go back, once a read, and the next one is waited for.
        """
        newest = None
        for _ in range(self._capture.buffers):
            filled = self._capture.dequeue()
            if filled is None:
                return newest
            if newest is not None:
                self._capture.enqueue(newest)
            newest = filled
        if newest is not None and not self._late:
            self._late = True
            self._capture.enqueue(newest)
            return None
        return newest
