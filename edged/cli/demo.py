"""`edged demo`: the whole daemon, with nothing to configure."""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from edged.cli.words import add_command, add_logging_options, between, seconds
from edged.errors import PermissionDeniedError
from edged.text import printable

if TYPE_CHECKING:
    from edged.camera.frame import Frame
    from edged.config import Config
    from edged.labeling.label import Result

DESCRIPTION = """\
Runs the whole daemon with nothing to configure: an MQTT broker of its own on loopback, sample photos and videos
(fetched once), the base model. Prints each result as it is published, and how to see the same from outside."""

LINES: Final = 100  # wait to be printed; more are dropped
LAST_WORDS_SECONDS: Final = 1.0  # for what is not printed at the end

EPILOG = """\
examples:
  edged demo
  edged demo --seconds 30
  edged demo --source ~/Pictures         a folder of photos, or a video file
  edged demo --source v4l2:/dev/video0   a camera
  edged demo --port 1883                 the broker's port (default: a free one)
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(
        commands, "demo", run, "the daemon on sample photos, with a broker of its own", DESCRIPTION, EPILOG
    )
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after so long (default: at Ctrl-C)")
    parser.add_argument(
        "--source",
        type=_source,
        metavar="PATH",
        help="label this folder, video or camera (picamera, v4l2:/dev/video0, rtsp://…) instead of the samples",
    )
    parser.add_argument(
        "--port",
        type=between(0, 65535, "a port"),
        default=0,
        metavar="P",
        help="the broker's port (default: a free one)",
    )
    add_logging_options(parser, "warning")


def run(args: argparse.Namespace) -> int:
    """Run until told to stop, or for the given time. Returns 0."""
    from edged.logs import configure_logging  # noqa: PLC0415

    configure_logging(args.log_level, as_json=args.log_json)
    print("edged demo: frames in, labels out over MQTT", flush=True)
    config = _config(args.source, args.port)

    from edged.daemon import run_daemon  # noqa: PLC0415  heavy

    with _Printer() as printer:

        def announce(host: str, port: int, page: str | None) -> None:
            printer.print(f"broker   mqtt://{host}:{port}")
            printer.print(f"see it   mosquitto_sub -h {host} -p {port} -t 'edged/#' -v")
            if page is not None:
                printer.print(f"page     {page}")
            printer.print("stop it  Ctrl-C\n")

        def show(result: Result, frame: Frame) -> None:
            printer.print(_line(result, frame))

        run_daemon(config, show=show, announce=announce, seconds=args.seconds)
    return 0


class _Printer:
    """Prints in a thread of its own: an output that nobody reads (Ctrl-S, a full pipe) must not stop the labelling."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(LINES)
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=LAST_WORDS_SECONDS)
        self._thread.join(LAST_WORDS_SECONDS)

    def print(self, line: str) -> None:
        """Never blocks; a line too many is dropped. Raises what an earlier line met with, which ends the demo."""
        if self._error is not None:
            raise self._error
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def _run(self) -> None:
        # Not sys.stdout: while we are stuck in it nobody else could flush it, and the process would not end.
        output = open(sys.stdout.fileno(), "w", encoding=sys.stdout.encoding, errors="replace", closefd=False)  # noqa: SIM115
        try:
            while (line := self._lines.get()) is not None:
                print(line, file=output, flush=True)
        except OSError as error:
            self._error = error


def _config(source: str | None, port: int) -> Config:
    from edged.config import load_config  # noqa: PLC0415
    from edged.demo.media import ensure_media, media_folder  # noqa: PLC0415
    from edged.resources import data_path  # noqa: PLC0415

    path = None if source is None else _readable(source)
    folder = media_folder()
    state = folder / "state"
    if path is None:
        folder = ensure_media(lambda text: print(f"media    {text}", flush=True)).folder
    os.environ["EDGED_DEMO_MEDIA"] = str(folder)
    config = load_config(data_path("config/demo.yaml"))
    cameras = dict(config.cameras)
    if path is not None:
        first = next(iter(cameras.values()))
        cameras = {"demo": first.model_copy(update={"source": path})}
    mqtt = config.mqtt.model_copy(update={"port": port})
    return config.model_copy(update={"mqtt": mqtt, "cameras": cameras, "state": state})


def _readable(source: str) -> str:
    """The address of a source that can be opened, a path made absolute. Raises SourceError or PermissionDeniedError."""
    from edged.camera.open_source import open_source  # noqa: PLC0415  heavy
    from edged.camera.source import SourceOptions  # noqa: PLC0415  as above
    from edged.config.types import source_kind  # noqa: PLC0415

    try:
        os.close(os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
    except PermissionError as error:
        raise PermissionDeniedError(f"--source {source}: this user may not read it (owner, group or mode)") from error
    except OSError:
        pass  # an address, or a path with nothing there: the next line says it
    open_source(source, SourceOptions()).close()
    try:
        is_path = source_kind(source) == "path"
    except ValueError:  # a file's name with a colon in it
        is_path = True
    return str(Path(source).absolute()) if is_path else source


def _line(result: Result, frame: Frame) -> str:
    """One line a result."""
    words = ", ".join(f"{label.text} {label.confidence:.2f}" for label in result.labels) or "-"
    what = f"{result.camera}/{frame.origin or frame.number}"
    line = f"{result.time.astimezone():%H:%M:%S}  {what:<28} {words}  ({result.timing.inference:.1f} ms)"
    return printable(line)


def _source(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a folder of photos, or a video file")
    return text
