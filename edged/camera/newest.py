"""Where cameras leave their newest frame, and the pipeline finds it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.camera.frame import Frame


class Newest:
    """The newest frame of each camera, for one reader. Older ones are never queued: they would only age.

    One lock; a condition for the reader and one for each camera that waits to be taken, so that a frame wakes nobody
    whom it is no use to: with one for all, eight cameras cost a quarter more processor time for each frame.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._some = threading.Condition(self._lock)
        self._taken: dict[str, threading.Condition] = {}
        self._frames: dict[str, Frame] = {}
        self._turn: list[str] = []  # cameras, the longest unserved first
        self._closed = False

    def put(self, camera: str, frame: Frame) -> bool:
        """Leave a frame. True when it replaced one that nobody had taken."""
        with self._lock:
            replaced = camera in self._frames
            self._frames[camera] = frame
            if camera not in self._turn:
                self._turn.insert(0, camera)
            self._some.notify()
            return replaced

    def put_back(self, camera: str, frame: Frame) -> None:
        """Return a frame that could not be labelled, unless a newer one has come or the camera is gone."""
        with self._lock:
            if camera in self._turn:
                self._frames.setdefault(camera, frame)
                self._some.notify()

    def take(self, timeout: float) -> tuple[str, Frame] | None:
        """The newest frame of the camera that has waited longest; None when none comes in time."""
        with self._lock:
            self._some.wait_for(lambda: self._frames or self._closed, timeout)
            for camera in self._turn:
                if camera in self._frames:
                    self._turn.remove(camera)
                    self._turn.append(camera)
                    if camera in self._taken:
                        self._taken[camera].notify_all()
                    return camera, self._frames.pop(camera)
            return None

    def wait_taken(self, camera: str, timeout: float) -> bool:
        """Wait until the camera's frame has been taken."""
        with self._lock:
            if camera not in self._frames:
                return True
            taken = self._taken.setdefault(camera, threading.Condition(self._lock))
            return taken.wait_for(lambda: camera not in self._frames or self._closed, timeout)

    def forget(self, camera: str) -> None:
        """The camera is gone: so is its frame."""
        with self._lock:
            self._frames.pop(camera, None)
            if camera in self._turn:
                self._turn.remove(camera)
            taken = self._taken.pop(camera, None)
            if taken is not None:
                taken.notify_all()

    def close(self) -> None:
        """Wake every waiter."""
        with self._lock:
            self._closed = True
            self._some.notify_all()
            for taken in self._taken.values():
                taken.notify_all()
