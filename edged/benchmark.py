"""This machine's figures. Ratios come from one run, measured in turn, since clocks and neighbours drift."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import psutil

from edged.camera.picture import Pixels, YuvPicture
from edged.classifier import Classifier, LabelOptions
from edged.engine.engine import Engine, EngineOptions
from edged.errors import UnavailableError
from edged.models.package import find_model
from edged.models.prove import open_proved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WIDTH, HEIGHT = 1920, 1080
PICTURES = 8
BUFFERS = 4  # as many as a camera has; each is written anew before its frame is labelled, as a decoder does
OPTIONS = LabelOptions(threshold=0.5)
BLOCK = 20  # frames, then as many bare calls, and so on
SETTLE_SECONDS = 6.0  # of a daemon, before its memory is read
END_SECONDS = 10.0  # for a daemon that was told to end


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        members: how many models look at each frame; what follows is of all of them together where nothing else is said.
        bare_ms: the sum of their medians of the runtime's `invoke()` alone, in the worker.
        frame_to_labels_ms: median from a 1080p YUV frame in memory to its labels, the worker's process included.
        overhead_ratio: the second over the first, with the first member alone.
        fps: frames labelled in a second, one after the other.
        frames_per_cpu_second: frames labelled per second of processor time of daemon and worker together.
        first_member_frames_per_cpu_second: the same with the first member alone.
        memory_mb: proportional set size of a daemon with one camera (a folder of 1080p JPEGs, 5 frames per second)
            and its worker.
    """

    model: str
    runtime: str
    threads: int
    members: int
    bare_ms: float
    frame_to_labels_ms: float
    overhead_ratio: float
    fps: float
    frames_per_cpu_second: float
    first_member_frames_per_cpu_second: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class _Speed:
    """Seconds of bare `invoke()` and from frame to labels; frames per second, and per second of processor time."""

    bare: float
    whole: float
    fps: float
    per_cpu_second: float


def measure(model: str, *, seconds: float, threads: int, progress: Callable[[str], None]) -> Figures:
    """Measure everything.

    Raises:
        ModelError: there is no such model, or it is not what it should be.
        UnavailableError: the daemon whose memory was to be read ended.
    """
    package = open_proved(find_model(model))
    engine = Engine(EngineOptions(threads=threads))
    try:
        names = [member.name for member in package.members]
        progress(f"frame to labels against bare invoke, frames per second: {2 * seconds:g} s")
        first = whole = _speed(engine, Classifier(engine, package, names[:1]), seconds)
        if len(names) > 1:
            progress(f"the same with all {len(names)} members: {2 * seconds:g} s")
            whole = _speed(engine, Classifier(engine, package), seconds)
        runtime = engine.state().runtime or "unknown"
    finally:
        engine.close()
    progress(f"memory of a daemon with one camera, {SETTLE_SECONDS:g} s")
    return Figures(
        model=f"{package.ref.name} {package.ref.version}",
        runtime=runtime,
        threads=threads,
        members=len(names),
        bare_ms=round(whole.bare * 1000, 3),
        frame_to_labels_ms=round(whole.whole * 1000, 3),
        overhead_ratio=round(first.whole / first.bare, 3),
        fps=round(whole.fps, 1),
        frames_per_cpu_second=round(whole.per_cpu_second, 1),
        first_member_frames_per_cpu_second=round(first.per_cpu_second, 1),
        memory_mb=round(daemon_memory_mb(model, threads), 1),
    )


def _speed(engine: Engine, classifier: Classifier, seconds: float) -> _Speed:
    """A loaded classifier's speed; it is unloaded afterwards."""
    bare, whole = _compare(engine, classifier, seconds)
    fps, per_cpu_second = _throughput(classifier, psutil.Process(engine.state().pid), seconds)
    classifier.unload()
    return _Speed(bare, whole, fps, per_cpu_second)


def _compare(engine: Engine, classifier: Classifier, seconds: float) -> tuple[float, float]:
    """Median seconds of bare `invoke()` and of frame to labels, a block of each in turn."""
    camera = MemoryCamera()
    bare: list[float] = []
    whole: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or not bare:
        for _ in range(BLOCK):
            picture = camera.next()
            start = time.perf_counter()
            classifier.classify(picture, OPTIONS)
            whole.append(time.perf_counter() - start)
        bare.append(sum(engine.measure(slot, BLOCK) for slot in classifier.slots))
    return statistics.median(bare), statistics.median(whole)


def _throughput(classifier: Classifier, worker: psutil.Process, seconds: float) -> tuple[float, float]:
    """Frames per second, and per second of processor time of both processes; writing the frames is left out.

    The processor time is read at the beginning and the end alone: the kernel counts it in hundredths of a second.
    """
    camera = MemoryCamera()
    frames, spent, writing = 0, 0.0, 0.0
    before = _cpu_seconds(worker)
    end = time.monotonic() + seconds
    while time.monotonic() < end or not frames:
        written = time.process_time()
        picture = camera.next()
        start = time.perf_counter()
        writing += time.process_time() - written
        classifier.classify(picture, OPTIONS)
        spent += time.perf_counter() - start
        frames += 1
    return frames / spent, frames / max(_cpu_seconds(worker) - before - writing, 1e-3)


def _cpu_seconds(worker: psutil.Process) -> float:
    used = worker.cpu_times()
    return time.process_time() + used.user + used.system


class MemoryCamera:
    """1080p frames in memory that come as from a decoder: written a moment ago, into one of a few buffers in turn."""

    def __init__(self) -> None:
        self._sources = moving_pictures()
        self._buffers = moving_pictures()[:BUFFERS]
        self._number = 0

    def next(self) -> YuvPicture:
        """Write the next frame."""
        source, buffer = self._sources[self._number % PICTURES], self._buffers[self._number % BUFFERS]
        self._number += 1
        for written, read in zip(_planes(buffer), _planes(source), strict=True):
            np.copyto(written, read)
        return buffer


def _planes(picture: YuvPicture) -> list[Pixels]:
    return [plane for plane in (picture.y, picture.u, picture.v) if plane is not None]


def moving_pictures() -> list[YuvPicture]:
    """Smooth, moving 1080p frames; a classifier's time does not depend on what is in them."""
    row = np.linspace(0, 255, WIDTH)
    column = np.linspace(0, 255, HEIGHT)[:, np.newaxis]
    pictures = []
    for number in range(PICTURES):
        y = ((row + column * 2 + number * 9) % 256).astype(np.uint8)
        u = ((row[::2] + number * 31) % 256 + 0 * column[::2]).astype(np.uint8)
        v = ((column[::2] + number * 17) % 256 + 0 * row[::2]).astype(np.uint8)
        pictures.append(YuvPicture(y, u, v))
    return pictures


def write_photos(folder: Path) -> None:
    """Two 1080p JPEGs."""
    folder.mkdir(parents=True)
    for number, picture in enumerate(moving_pictures()[:2]):
        cv2.imwrite(str(folder / f"{number}.jpg"), picture.render(picture.size)[:, :, ::-1])


def daemon_memory_mb(model: str, threads: int, cameras: int = 1) -> float:
    """Run a daemon with folder cameras and no broker within reach, and read its memory and its worker's."""
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as temporary:
        folder = Path(temporary)
        photos = folder / "photos"
        write_photos(photos)
        nobody = 9  # a port where no broker is
        configuration = write_configuration(
            folder, model=model, port=nobody, photos=photos, threads=threads, cameras=cameras
        )
        with running(sys.executable, "-m", "edged", "run", "-c", configuration, "--log-level", "error") as daemon:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = daemon.wait(SETTLE_SECONDS)
                raise UnavailableError(f"the daemon ended by itself with code {code}; its words are above")
            process = psutil.Process(daemon.pid)
            family = [process, *process.children(recursive=True)]
            return sum(member.memory_full_info().pss for member in family) / 2**20


def write_configuration(  # noqa: PLR0913  what one benchmark's daemon has other than the next one's
    folder: Path,
    *,
    model: str,
    port: int,
    photos: Path,
    threads: int | None = None,
    cameras: int = 1,
    fps: float = 5.0,
    deadline: float = 5.0,
    edgetpu_library: Path | None = None,
) -> Path:
    """A configuration in `folder`: cameras that all read the photos, and a broker's port on loopback."""
    inference: dict[str, object] = {"threads": threads or "auto", "deadline": deadline}
    if edgetpu_library is not None:
        inference |= {"device": "edgetpu", "edgetpu": {"library": str(edgetpu_library)}}
    names = ["photos", *(f"photos-{number}" for number in range(2, cameras + 1))]
    configuration = {
        "device": "bench",
        "mqtt": {"host": "127.0.0.1", "port": port},
        "web": {"listen": None},
        "model": {"name": "base"} if model == "base" else {"path": str(find_model(model).absolute())},
        "inference": inference,
        "state": str(folder),
        "cameras": {name: {"source": str(photos), "fps": fps} for name in names},
    }
    path = folder / "edged.yaml"
    text = json.dumps(configuration, ensure_ascii=False).replace("${", "$${")  # JSON is YAML; `${` would be a variable
    path.write_text(text, "utf-8", "surrogateescape")
    return path


@contextlib.contextmanager
def running(*command: str | Path, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has ended when the block has, in order or by force."""
    with subprocess.Popen(command, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(END_SECONDS)
            finally:
                process.kill()  # does nothing to one that has ended
