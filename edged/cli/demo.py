"""`edged demo`: the whole daemon, with nothing to configure."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.run import add_logging_options

if TYPE_CHECKING:
    from edged.camera.frame import Frame
    from edged.config import Config
    from edged.labeling.label import Result

DESCRIPTION = """\
Runs the whole daemon with nothing to configure: an MQTT broker of its own on loopback, sample photos and videos
(fetched once), the base model. Prints each result as it is published, and how to see the same from outside."""

EPILOG = """\
examples:
  edged demo
  edged demo --seconds 30
  edged demo --source ~/Pictures         a folder of photos, or a video file
  edged demo --port 1883                 the broker's port (default: a free one)
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = commands.add_parser(
        "demo",
        help="the daemon on sample photos, with a broker of its own",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="stop after so long (default: at Ctrl-C)")
    parser.add_argument("--source", type=Path, metavar="PATH", help="label this folder or video instead of the samples")
    parser.add_argument("--port", type=_port, default=0, metavar="P", help="the broker's port (default: a free one)")
    add_logging_options(parser, "warning")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until told to stop, or for the given time. Returns 0."""
    from edged.logs import configure_logging  # noqa: PLC0415

    configure_logging(args.log_level, as_json=args.log_json)
    config = _config(args.source, args.port)

    from edged.daemon import run_daemon  # noqa: PLC0415  heavy

    def announce(host: str, port: int) -> None:
        print(f"broker   mqtt://{host}:{port}")
        print(f"see it   mosquitto_sub -h {host} -p {port} -t 'edged/#' -v")
        print("stop it  Ctrl-C\n", flush=True)
        if args.seconds is not None:
            timer = threading.Timer(args.seconds, os.kill, (os.getpid(), signal.SIGTERM))
            timer.daemon = True
            timer.start()

    run_daemon(config, show=_show, announce=announce)
    return 0


def _config(source: Path | None, port: int) -> Config:
    from edged.config import load_config  # noqa: PLC0415
    from edged.demo.media import ensure_media, media_folder  # noqa: PLC0415
    from edged.errors import UnavailableError  # noqa: PLC0415
    from edged.resources import data_path  # noqa: PLC0415

    print("edged demo: frames in, labels out over MQTT", flush=True)
    if source is None:
        os.environ["EDGED_DEMO_MEDIA"] = str(ensure_media(lambda text: print(f"media    {text}", flush=True)).folder)
    elif not source.exists():
        raise UnavailableError(f"--source {source}: there is no such folder or file")
    else:
        os.environ["EDGED_DEMO_MEDIA"] = str(source.parent)
    config = load_config(data_path("config/demo.yaml"))
    mqtt = config.mqtt.model_copy(update={"port": port})
    cameras = dict(config.cameras)
    if source is not None:
        first = next(iter(cameras.values()))
        cameras = {"demo": first.model_copy(update={"source": str(source.absolute())})}
    state = media_folder() / "state"  # never beside a person's own pictures
    return config.model_copy(update={"mqtt": mqtt, "cameras": cameras, "state": state})


def _show(result: Result, frame: Frame) -> None:
    """One line a result."""
    words = ", ".join(f"{label.text} {label.confidence:.2f}" for label in result.labels) or "-"
    what = f"{result.camera}/{frame.origin or frame.number}"
    try:
        print(
            f"{result.time.astimezone():%H:%M:%S}  {what:<28} {words}  ({result.timing.inference:.1f} ms)", flush=True
        )
    except BrokenPipeError:  # whoever read this has gone: so do we
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:  # noqa: PLR2004  and not NaN
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:  # noqa: PLR2004  16 bits
        raise argparse.ArgumentTypeError(f"{text} is not a port (0 to 65535)")
    return value
