"""`edged watch`: live labels, events and states of devices, in a terminal."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edged.cli.interrupt import interruptible
from edged.cli.words import add_command, seconds
from edged.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    import argparse

    from edged.config.mqtt import MqttConfig

DESCRIPTION = """\
Shows what all devices at a broker see and how they are, live: cameras with their labels as bars, what is present,
events, models, health. It only listens, from any machine. Where the broker goes away it says so, and comes back with
it. Into a pipe or a file it writes a line for each change."""

EPILOG = """\
which broker: --host; else mqtt: of the configuration that -c or $EDGED_CONFIG names, or of /etc/edged/edged.yaml; where
there is none, localhost. User and password: --username and --password-file, or the configuration's.

examples:
  edged watch                                  as the configuration on this machine says
  edged watch --host broker.local              any number of devices, from your desk
  edged watch --host 127.0.0.1:1883 --device 'porch*'
  edged watch --host broker.local --username me --password-file ~/.mqtt-password
  edged watch --seconds 60 > watch.txt         lines, for a minute
  NO_COLOR=1 edged watch                       without colours

keys: q quits, as Ctrl-C does; arrows, page up and down, space: scroll; g: back to the top
exit codes: 0 done, 64 wrong words, 69 --seconds are over and there was no connection, 78 configuration, 130 Ctrl-C
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "watch", run, "live labels and states of devices", DESCRIPTION, EPILOG)
    parser.add_argument("--host", metavar="H", help="the broker: a host, or host:port (1883)")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="take the broker of this configuration")
    parser.add_argument("--username", metavar="NAME", help="the broker's user")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="a file that holds the password alone")
    parser.add_argument(
        "--device", default="*", metavar="PATTERN", help="only devices whose names fit, such as 'porch*' (all)"
    )
    parser.add_argument("--plain", action="store_true", help="lines, in a terminal too")
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after so long (default: at q or Ctrl-C)")


def run(args: argparse.Namespace) -> int:
    """Show until told to stop. Returns 0, or 69."""
    from edged.watch.show import can_draw, show_lines, show_screen  # noqa: PLC0415  rich and pydantic are slow to import

    config = _broker(args)
    show = show_lines if args.plain or not can_draw() else show_screen
    with interruptible():
        before = signal.signal(signal.SIGTERM, _end)  # the terminal is put back on the way out
        try:
            connected = show(config, args.device, args.seconds)
        finally:
            signal.signal(signal.SIGTERM, before)
    if not connected:
        raise UnavailableError(f"no connection to {config.addresses[0]} in {args.seconds:g} s; `edged doctor` says why")
    return 0


def _broker(args: argparse.Namespace) -> MqttConfig:
    """The broker that the words and the configuration name: what is said here replaces its like there."""
    from pydantic import ValidationError  # noqa: PLC0415  slow to import

    from edged.config import MqttConfig, find_config, load_config  # noqa: PLC0415  as above
    from edged.config.load import VARIABLE  # noqa: PLC0415  as above

    path = find_config(args.config)
    named = args.config is not None or (args.host is None and (os.environ.get(VARIABLE) or os.path.lexists(path)))
    config = load_config(path).mqtt if named else MqttConfig()
    given = _given(args)
    if given:
        kept = config.model_dump(exclude={"password", "password_file", *(("servers",) if "host" in given else ())})
        if "password_file" not in given and "username" not in given:
            kept["password"] = config.password
        try:
            config = MqttConfig.model_validate({**kept, **given}, context={"folder": Path.cwd()})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            about = first.get("ctx", {})
            if about.get("at") == ("password_file",):
                raise UsageError(f"--password-file {args.password_file}: {about['what'].rstrip(':')}") from None
            raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if config.embedded and config.port == 0:
        raise UsageError("the broker in the daemon has any free port: its log says which; --host 127.0.0.1:PORT")
    return config.model_copy(update={"host": "127.0.0.1"}) if config.embedded else config


def _given(args: argparse.Namespace) -> dict[str, object]:
    """The broker's settings in this command's words."""
    from edged.config.addresses import MQTT_PORT, Server  # noqa: PLC0415  pydantic is slow to import

    given: dict[str, object] = {"username": args.username, "password_file": args.password_file}
    if args.host is not None:
        try:
            server = Server.parse(args.host, default_port=MQTT_PORT)
        except ValueError:
            raise UsageError(f"--host {args.host}: not a host, or host:port, or [IPv6]:port") from None
        given |= {"host": server.host, "port": server.port}
    return {name: value for name, value in given.items() if value is not None}


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)
