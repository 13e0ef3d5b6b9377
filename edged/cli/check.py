"""`edged check`: is this configuration right? Every error at once, with its line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.words import add_command
from edged.errors import ConfigError, Finding
from edged.text import printable

if TYPE_CHECKING:
    import argparse

    from edged.config import Config

DESCRIPTION = """\
Validates a configuration: every error at once, with its line. Then, on this device: is the model there that it names,
and has that model the labels that it names?"""

EPILOG = """\
without -c: the file that $EDGED_CONFIG names, else /etc/edged/edged.yaml

examples:
  edged check                     the configuration that the daemon takes
  edged check -c edged.yaml       another one
  edged check -c edged.yaml && systemctl restart edged

Each error is said as FILE:LINE: key.path: what is wrong (what is allowed).
exit codes: 0 well (warnings too), 78 errors
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of `edged check`."""
    parser = add_command(commands, "check", run, "is a configuration right? every error at once", DESCRIPTION, EPILOG)
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, help="the configuration")


def run(args: argparse.Namespace) -> int:
    """Say what is wrong with the configuration, or that it is well and what it says. Returns the exit code."""
    from edged.config import find_config, load_config  # noqa: PLC0415  pydantic is slow to import
    from edged.config.advice import advice  # noqa: PLC0415  as above
    from edged.config.load import line_of  # noqa: PLC0415  as above
    from edged.models.choose import missing_model  # noqa: PLC0415  as above
    from edged.models.places import may_look  # noqa: PLC0415  as above
    from edged.named_labels import unknown_labels  # noqa: PLC0415  as above

    path = find_config(args.config)
    try:
        config = load_config(path)
        missing = missing_model(config)
        if missing is not None and may_look(config.state):
            finding = Finding(str(path), line_of(path, "model", "name"), "model.name", missing)
            raise ConfigError(str(finding), (finding,))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return ConfigError.exit_code
    print(f"{path}: well")
    for line in _summary(config):
        print(f"  {line}")
    for sentence in (*advice(config), *unknown_labels(config)):
        print(f"warning: {printable(sentence)}")
    if missing is not None:
        print(f"warning: model.name: this user may not look into {config.state}, whether the model is there")
    return 0


def _summary(config: Config) -> list[str]:
    from edged.config import redact  # noqa: PLC0415  pydantic is slow to import

    model = str(config.model.path or config.model.name)
    broker = "embedded" if config.mqtt.embedded else ", ".join(map(str, config.mqtt.addresses))
    cameras = [
        f"camera   {name}: {redact(camera.source)}, {camera.fps:g} fps" for name, camera in config.cameras.items()
    ]
    tls = ", TLS" if config.mqtt.tls is not None else ""
    return [f"device   {config.device}", *cameras, f"model    {model}", f"broker   {broker}{tls}"]
