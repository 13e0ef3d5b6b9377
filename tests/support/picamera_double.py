"""A small complete double of picamera2 and libcamera: sensors with their modes, buffers that run out, and accidents.

What it does with jobs, buffers, descriptors and silent adjustments is what picamera2 0.3.38 was seen to do.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edged.camera.picture import Matrix
from support.pictures import planes, smooth

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from edged.camera.pixels import Pixels

Area = tuple[int, int, int, int]
Pair = tuple[int, int]

INTERVAL_SECONDS = 0.005
PADDING = 32


class Platform(Enum):
    VC4 = 0
    PISP = 1


class Encoding(Enum):
    Rec601 = 1
    Rec709 = 2


class Range(Enum):
    Full = 0
    Limited = 1


@dataclass(frozen=True)
class Space:
    ycbcrEncoding: Encoding  # noqa: N815  libcamera's name
    range: Range


SYCC = Space(Encoding.Rec601, Range.Full)


@dataclass
class Rig:
    """What is plugged in, and what happens to it.

    Attributes:
        modes: sizes that the sensor can be read in, each with the part of it that is then seen.
        area: of the whole sensor; None: the driver does not say.
        gives: the format, whatever was asked for.
        space: colour space of the pictures, whatever was asked for.
        dead: no frame comes any more.
        busy: another program has the cameras.
        fails: picamera2's method that raises, and what.
        closing: waited for by `close`.
        made: every camera that was opened, in order.
    """

    models: Sequence[str] = ("imx219",)
    modes: dict[Pair, Area] = field(
        default_factory=lambda: {
            (640, 480): (1000, 752, 1280, 960),
            (1640, 1232): (0, 0, 3280, 2464),
            (1920, 1080): (680, 692, 1920, 1080),
            (3280, 2464): (0, 0, 3280, 2464),
        }
    )
    area: Area | None = (8, 8, 3280, 2464)
    platform: str = "VC4"
    pi: bool = True
    gives: str = "YUV420"
    space: Space | None = SYCC
    autofocus: bool = False
    dead: bool = False
    busy: bool = False
    fails: dict[str, Exception] = field(default_factory=dict)
    closing: threading.Event | None = None
    made: list[Camera] = field(default_factory=list)

    def plug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make `import picamera2` and `import libcamera` find this rig."""
        picamera2, libcamera = ModuleType("picamera2"), ModuleType("libcamera")
        made = type("Picamera2", (Camera,), {"rig": self, "platform": Platform[self.platform]})
        picamera2.__dict__["Picamera2"] = made
        libcamera.__dict__.update(
            ColorSpace=SimpleNamespace(Sycc=lambda: SYCC),
            StreamRole=SimpleNamespace(Raw="raw"),
            controls=SimpleNamespace(AfModeEnum=SimpleNamespace(Continuous=2)),
        )
        monkeypatch.setitem(sys.modules, "picamera2", picamera2)
        monkeypatch.setitem(sys.modules, "libcamera", libcamera)


class Job:
    """A request for a frame."""

    def __init__(self) -> None:
        self.future: Future[Request] = Future()

    def get_result(self, timeout: float | None = None) -> Request:
        return self.future.result(timeout)


class Request:
    """A frame: a buffer that is gone until it is released."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def make_array(self, stream: str) -> Pixels:
        self._camera.accident("make_array")
        return array_of(self._camera.camera_configuration()[stream], self._camera.rig.space)

    def release(self) -> None:
        self._camera.free += 1


class Camera:
    """Picamera2."""

    rig: ClassVar[Rig]
    platform: ClassVar[Enum]

    def __init__(self, number: int) -> None:
        reading, self.notifyme_w = os.pipe()
        self.notifymeread = os.fdopen(reading, "rb")
        self.is_open = False
        self.rig.made.append(self)
        if self.rig.busy:
            try:
                raise RuntimeError("Failed to acquire camera: Device or resource busy")
            except RuntimeError as error:
                raise RuntimeError("Camera __init__ sequence did not complete.") from error
        self.is_open = True
        self.number = number
        self.set: dict[str, object] = {}
        self.configured: list[dict[str, Any]] = []
        self.jobs: list[Job] = []
        self.free = 0
        self.sensor_resolution = max(self.rig.modes)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.accident("__init__")

    def accident(self, method: str) -> None:
        if method in self.rig.fails:
            raise self.rig.fails[method]

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return [{"Model": model, "Id": f"/base/{model}", "Num": place} for place, model in enumerate(cls.rig.models)]

    @property
    def camera_properties(self) -> dict[str, Any]:
        areas = {} if self.rig.area is None else {"PixelArrayActiveAreas": [self.rig.area]}
        return {**areas, **({"ColorFilterArrangement": 0} if self.rig.pi else {})}

    @property
    def camera_controls(self) -> dict[str, Any]:
        crop = self.rig.modes[self.mode] if self.configured and self.rig.pi else None
        names: dict[str, Any] = {"FrameDurationLimits": (33_333, 11_767_000, None)}
        if crop is not None:
            names["ScalerCrop"] = ((0, 0, 64, 64), crop, crop)
            if self.platform.name == "PISP":
                names["ScalerCrops"] = (crop, crop, None)
        return {**names, **({"AfMode": (0, 2, 0)} if self.rig.autofocus else {})}

    @property
    def camera(self) -> SimpleNamespace:
        sizes = [SimpleNamespace(width=width, height=height) for width, height in self.rig.modes]
        formats = SimpleNamespace(pixel_formats=["SRGGB10", "SRGGB8"], sizes=lambda _kind: sizes)
        return self._configurations("generate_configuration", SimpleNamespace(formats=formats))

    @property
    def libcamera_config(self) -> SimpleNamespace:
        return SimpleNamespace(at=lambda _index: SimpleNamespace(color_space=self.rig.space))

    @staticmethod
    def _configurations(method: str, one: SimpleNamespace) -> SimpleNamespace:
        return SimpleNamespace(**{method: lambda _roles: SimpleNamespace(at=lambda _index: one)})

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:  # noqa: ANN401  picamera2's own
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        self.accident("configure")
        for stream in ("main", "lores"):
            assert wanted[stream]["size"][0] % 2 == wanted[stream]["size"][1] % 2 == 0
        width, height = wanted["lores"]["size"]
        assert width <= wanted["main"]["size"][0]
        assert height <= wanted["main"]["size"][1]
        read = {"format": self.rig.gives, "size": (width, height), "stride": width + PADDING}
        self.configured.append({**wanted, "lores": read})
        self.free = wanted["buffer_count"]
        asked = (wanted["sensor"] or {}).get("output_size", (0, 0))
        self.mode = min(self.rig.modes, key=lambda mode: abs(mode[0] - asked[0]) + abs(mode[1] - asked[1]))

    def camera_configuration(self) -> dict[str, Any]:
        return self.configured[-1]

    def set_controls(self, controls: dict[str, object]) -> None:
        for name in controls:
            if name not in self.camera_controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.set.update(controls)

    def start(self) -> None:
        self.accident("start")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            with self._lock:
                if self.rig.dead or not self.free or not self.jobs:
                    continue
                self.free -= 1
                job = self.jobs.pop(0)
            job.future.set_result(Request(self))

    def capture_request(self, *, wait: bool) -> Job:
        assert not wait
        job = Job()
        with self._lock:
            self.jobs.append(job)
        return job

    def wait(self, job: Job, timeout: float) -> Request:
        return job.get_result(timeout)

    def cancel_all_and_flush(self) -> None:
        with self._lock:
            for job in self.jobs:
                job.future.set_exception(CancelledError())
            self.jobs = []

    def close(self) -> None:
        if not self.is_open:
            return
        if self.rig.closing is not None:
            self.rig.closing.wait(30.0)
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self.accident("close")
        self.is_open = False
        self.notifymeread.close()
        os.close(self.notifyme_w)


def array_of(stream: dict[str, Any], space: Space | None) -> Pixels:
    """A smooth picture as picamera2 gives it: planar with its padding, interleaved without."""
    width, height = stream["size"]
    matrix = Matrix.BT709 if space is not None and space.ycbcrEncoding is Encoding.Rec709 else Matrix.BT601
    y, u, v = planes(smooth(width, height), matrix, 2, 2, full_range=space is not None and space.range is Range.Full)
    if stream["format"] in ("NV12", "NV21"):
        pair = np.stack([u, v] if stream["format"] == "NV12" else [v, u], axis=2)
        return np.concatenate([y, pair.reshape(height // 2, width)])
    memory = bytearray(b"\xab" * (stream["stride"] * height * 3 // 2))
    at = 0
    order = [u, v] if stream["format"] == "YUV420" else [v, u]
    for plane, stride in zip([y, *order], [stream["stride"], *[stream["stride"] // 2] * 2], strict=True):
        for row in plane:
            memory[at : at + row.size] = row.tobytes()
            at += stride
    assert at == len(memory)
    return np.frombuffer(bytes(memory), np.uint8).reshape(height * 3 // 2, stream["stride"])
