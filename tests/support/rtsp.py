"""A real RTSP server that a test can kill, freeze and restart, and compressed frames for it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av

from support.mosquitto import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edged.camera.pixels import Pixels

PYTHON = "/usr/bin/python3"  # the system's: Debian's packages are for no other
SCRIPT = Path(__file__).with_name("rtsp_server.py")
ELEMENTS = (
    *("appsrc", "appsink", "rtpbin", "multiudpsink"),  # what the server itself makes its pipelines of
    *("rtph264pay", "rtph265pay", "rtpjpegpay", "rtppcmupay"),
)
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0"  # the second one brings all elements
END_SECONDS = 5.0


@cache
def missing() -> str | None:
    """Why this machine cannot run the server; None where it can."""
    if shutil.which(PYTHON) is None:
        return f"there is no {PYTHON}; on Debian: apt install python3 {PACKAGES}"
    done = subprocess.run([PYTHON, SCRIPT, "--check", *ELEMENTS], capture_output=True, text=True, check=False)
    return f"{done.stderr.strip()}; on Debian: apt install {PACKAGES}" if done.returncode else None


@dataclass(frozen=True)
class Mount:
    """What a path of the server gives.

    Attributes:
        launch: the pipeline; its `appsrc name=frames` gets the frames.
        frames: compressed, the first one a key frame; again and again.
        rate: per second.
        last: after so many frames none come; the connection stays.
    """

    launch: str
    frames: tuple[bytes, ...] = ()
    rate: float = 10.0
    last: int | None = None


SOUND = (
    "appsrc name=sound is-live=true do-timestamp=true format=time caps=audio/x-mulaw,rate=8000,channels=1 ! rtppcmupay"
)
NO_VIDEO = Mount(f"( {SOUND} name=pay0 )")


def h264(pictures: Iterable[Pixels], *, rate: float = 10.0, last: int | None = None, sound: bool = False) -> Mount:
    """RGB pictures as H.264, one key frame at the beginning."""
    # one slice a picture: GStreamer's payloader would take each for a picture of its own
    options = {"preset": "veryfast", "tune": "zerolatency", "crf": "16", "x264-params": "sliced-threads=0"}
    launch = _appsrc("video/x-h264,stream-format=byte-stream,alignment=au", "rtph264pay config-interval=-1")
    return Mount(
        f"( {launch} {f'{SOUND} name=pay1' if sound else ''} )", compress("libx264", pictures, options), rate, last
    )


def h265(pictures: Iterable[Pixels]) -> Mount:
    """RGB pictures as H.265."""
    options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"}
    launch = _appsrc("video/x-h265,stream-format=byte-stream,alignment=au", "rtph265pay config-interval=-1")
    return Mount(f"( {launch} )", compress("libx265", pictures, options))


def motion_jpeg(pictures: Iterable[Pixels], width: int, height: int) -> Mount:
    """RGB pictures as JPEGs (RFC 2435: sizes are multiples of 8)."""
    launch = _appsrc(f"image/jpeg,width={width},height={height},framerate=10/1", "rtpjpegpay")
    return Mount(f"( {launch} )", compress("mjpeg", pictures, {"q": "2"}, "yuvj420p"))


def raw_h264(frames: tuple[bytes, ...]) -> Mount:
    """Whatever is in the frames, said to be H.264."""
    return Mount(
        f"( {_appsrc('video/x-h264,stream-format=byte-stream,alignment=au', 'rtph264pay config-interval=-1')} )", frames
    )


def _appsrc(kind: str, payloader: str) -> str:
    source = f"appsrc name=frames is-live=true do-timestamp=true format=time caps={kind}"
    return f"{source} ! {payloader} name=pay0 pt=96"


def compress(
    codec: str, pictures: Iterable[Pixels], options: Mapping[str, str], pixels: str = "yuv420p"
) -> tuple[bytes, ...]:
    """One packet a picture, without delay and without pictures that need later ones."""
    images = list(pictures)
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = images[0].shape[:2]
    context.pix_fmt = pixels
    context.time_base, context.framerate = Fraction(1, 10), Fraction(10)
    context.gop_size, context.max_b_frames = len(images), 0
    context.options = dict(options)
    packets = []
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, context.time_base
        packets += context.encode(frame)
    return tuple(bytes(packet) for packet in [*packets, *context.encode(None)])


class RtspServer:
    """GStreamer's RTSP server in a process of its own, on loopback."""

    def __init__(
        self, folder: Path, mounts: Mapping[str, Mount], *, user: str | None = None, password: str | None = None
    ) -> None:
        self.port = free_port()
        self._settings = folder / f"rtsp-{self.port}.json"
        self._process: subprocess.Popen[str] | None = None
        described = {}
        for path, mount in mounts.items():
            frames = folder / f"rtsp-{self.port}{path.replace('/', '-')}"
            frames.mkdir()
            for number, data in enumerate(mount.frames):
                (frames / f"{number}.bin").write_bytes(data)
            described[path] = {
                "launch": mount.launch,
                "folder": str(frames),
                "rate": mount.rate,
                "last": mount.last,
            }
        settings = {"user": user, "password": password, "mounts": described}
        self._settings.write_text(json.dumps(settings), "utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def address(self, path: str, user: str = "") -> str:
        """Of a mount, with `user` as `name:password` where it is given."""
        return f"rtsp://{f'{user}@' if user else ''}{HOST}:{self.port}{path}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            [PYTHON, SCRIPT, str(self.port), self._settings], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the RTSP server did not start"

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_SECONDS)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes connections and bytes, and nobody reads them."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
