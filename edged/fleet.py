"""The cameras of a configuration, each with what is to be made of its frames; takes on another configuration alive."""

from __future__ import annotations

import logging
import time
from math import ceil
from typing import TYPE_CHECKING, Final

from edged.camera.camera import Camera, CameraOptions
from edged.camera.geometry import Region, Size
from edged.camera.source import SourceOptions, WantedSize
from edged.classifier import LabelOptions
from edged.config import redact
from edged.labeling.vocabulary import Detail
from edged.motion import MotionOptions
from edged.pipeline import View
from edged.watched import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edged.camera.newest import Newest
    from edged.config import CameraConfig

log = logging.getLogger(__name__)

END_SECONDS: Final = 1.0


class Fleet:
    """All cameras. For one thread, but for `want`.

    `share` gives the part of every camera's `fps` that is wanted now. `configs` and `cameras` have the same names.
    """

    def __init__(self, newest: Newest, on_change: Callable[[], None], share: Callable[[], float]) -> None:
        self._newest = newest
        self._on_change = on_change
        self._share = share
        self.configs: dict[str, CameraConfig] = {}
        self._model_size: Size | None = None
        self.cameras: dict[str, Camera] = {}

    def apply(self, configs: Mapping[str, CameraConfig]) -> list[str]:
        """Have exactly these cameras from now on. Those whose frames are not touched by a change read on.

        Returns what was done, in words, one an entry.

        Raises:
            RuntimeError: the system gives no thread for a camera; it, and those after it, are what they were.
        """
        done = []
        for name in [name for name in self.cameras if name not in configs]:
            self.cameras.pop(name).stop()
            del self.configs[name]
            self._newest.forget(name)
            done.append(f"camera {name} is gone")
        for name, config in configs.items():
            known = self.cameras.get(name)
            options = camera_options(name, config)
            if known is None or known.options != options:
                self._open(name, config, options, known)
                done.append(f"camera {name} is {'new' if known is None else 'opened anew'}")
            elif config != self.configs[name]:
                self.configs[name] = config
                self._tell_size(known, config)
                done.append(f"camera {name}: other labels or another region")
        if done:
            self._on_change()
        return done

    def want(self, size: Size) -> None:
        """The model takes pictures of this size: cameras that scale in hardware need give no more than it asks for."""
        self._model_size = size
        for name, camera in list(self.cameras.items()):
            if (config := self.configs.get(name)) is not None:  # else it has just been taken out
                self._tell_size(camera, config)

    def stuck(self) -> bool:
        """Whether every camera that has not come to its end is abandoned: only a new process can help."""
        states = {camera.state.state for camera in self.cameras.values()} - {"ended"}
        return states == {"abandoned"}

    def stop(self) -> None:
        """Ask all cameras to end, and wait a moment for it."""
        for camera in self.cameras.values():
            camera.stop()
        deadline = time.monotonic() + END_SECONDS
        for name, camera in self.cameras.items():
            if not camera.join(max(0.0, deadline - time.monotonic())):
                log.info("camera %s does not let go of its source; left behind", name)

    def _open(self, name: str, config: CameraConfig, options: CameraOptions, before: Camera | None) -> None:
        camera = Camera(options, self._newest, self._on_change, share=self._share, after=before)
        self._tell_size(camera, config)
        camera.start()  # raises where no thread is to be had: then everything is as it was
        if before is not None:
            before.stop()
            self._newest.forget(name)
        self.configs[name] = config
        self.cameras[name] = camera
        self._tell_size(camera, config)  # once more: `want` may have been called just before it was among the others

    def _tell_size(self, camera: Camera, config: CameraConfig) -> None:
        if self._model_size is not None:
            camera.options.options.wanted.set(least_size(self._model_size, config))


def least_size(model: Size, config: CameraConfig) -> Size:
    """The size of the camera's whole picture, as its sensor gives it, at which the region is as large as the model."""
    _, _, width, height = config.region
    return Size(ceil(model.width / width), ceil(model.height / height)).turned(config.rotation)


def camera_options(name: str, camera: CameraConfig) -> CameraOptions:
    """What the camera's thread is told."""
    return CameraOptions(
        name=name,
        source=camera.source,
        shown=redact(camera.source),
        fps=camera.fps,
        rotation=camera.rotation,
        masks=camera.masks,
        stall=camera.stall,
        options=SourceOptions(camera.loop, camera.order, camera.realtime, camera.fps, camera.stall, WantedSize()),
    )


def views(cameras: Mapping[str, CameraConfig]) -> dict[str, View]:
    """What the pipeline makes of each camera's frames."""
    return {name: _view(camera) for name, camera in cameras.items()}


def _view(camera: CameraConfig) -> View:
    labels = camera.labels
    options = LabelOptions(
        threshold=labels.threshold,
        max_results=labels.max_results,
        allow=frozenset(labels.allow),
        deny=frozenset(labels.deny),
        detail=Detail(labels.detail),
        watch=watch(camera),
    )
    motion = MotionOptions(camera.motion.threshold, camera.motion.max_interval)
    return View(Region(*camera.region), options, motion)
