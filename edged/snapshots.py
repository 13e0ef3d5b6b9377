"""Snapshots of cameras that are to publish them: a small JPEG with its labels written below, now and then."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import simplejpeg
from PIL import Image, ImageDraw, ImageFont

from edged.camera.geometry import Size
from edged.camera.pixels import as_pixels
from edged.errors import BadImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.camera.frame import Frame
    from edged.camera.pixels import Pixels
    from edged.config import CameraConfig
    from edged.labeling.label import Label, Result
    from edged.mqtt.client import MqttClient

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
WIDTH, HEIGHT = 640, 960  # pixels at most: some 100 KB, and below 1 MB whatever they show
QUALITY: Final = 80
MOST_LABELS: Final = 3
_LINE: Final = 22  # pixels of a line of text
_WAIT_S: Final = 1.0
_WORD: Final = 60  # characters of a label that are written


class Snapshots:
    """A thread that draws and publishes, so that the pipeline waits for neither.

    Args:
        mqtt: where they go, retained.
    """

    def __init__(self, mqtt: MqttClient) -> None:
        self._mqtt = mqtt
        self._wanted: frozenset[str] = frozenset()
        self._due: dict[str, float] = {}
        self._waiting: dict[str, tuple[Result, Frame]] = {}
        self._cleared: set[str] = set()
        self._wake = threading.Condition()
        self._stopping = False

    def apply(self, cameras: Mapping[str, CameraConfig]) -> None:
        """These are the cameras from now on. Of one that publishes no snapshots none stays with the broker."""
        self._wanted = frozenset(name for name, config in cameras.items() if config.image)
        self._cleared -= self._wanted
        for name in (cameras.keys() | self._due.keys()) - self._wanted - self._cleared:
            self._cleared.add(name)
            self._mqtt.publish(self._mqtt.topics.image(name), b"", qos=1, retain=True)

    def offer(self, result: Result, frame: Frame) -> None:
        """A frame has been labelled. Never waits."""
        camera = result.camera
        if camera not in self._wanted or time.monotonic() < self._due.get(camera, 0.0):
            return
        with self._wake:
            self._due[camera] = time.monotonic() + EVERY_S
            self._waiting[camera] = (result, frame)
            self._wake.notify()

    def stop(self) -> None:
        """Let `run` return."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def run(self) -> None:
        """Until `stop`."""
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    self._wake.wait(_WAIT_S)
                if self._stopping:
                    return
                camera, (result, frame) = self._waiting.popitem()
            try:
                jpeg = draw(frame.picture.render(_small(frame.picture.size)), result.labels)
            except BadImageError as error:
                log.debug("camera %s: no snapshot: %s", camera, error)
                continue
            if camera in self._wanted:
                self._mqtt.publish(self._mqtt.topics.image(camera), jpeg, retain=True)


def draw(pixels: Pixels, labels: tuple[Label, ...]) -> bytes:
    """RGB pixels, (height, width, 3), as JPEG, the best labels in a strip below them."""
    best = labels[:MOST_LABELS]
    width = pixels.shape[1]
    strip = Image.new("RGB", (width, max(1, len(best)) * _LINE), "black")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(_LINE - 6)
    for row, label in enumerate(best):
        pen.text((6, row * _LINE + 2), f"{label.confidence:.0%}  {label.text[:_WORD]}", fill="white", font=font)
    if not best:
        pen.text((6, 2), "no label", fill="grey", font=font)
    whole = np.concatenate((pixels, np.asarray(strip, np.uint8)))
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(as_pixels(whole)), QUALITY, "RGB"))


def _small(size: Size) -> Size:
    scale = min(1.0, WIDTH / size.width, HEIGHT / size.height)
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))
