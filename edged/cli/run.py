"""`edged run`: the daemon, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.words import add_command, add_logging_options
from edged.one_daemon import one_daemon

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Runs the daemon in the foreground; what it has to say goes to stderr. The first SIGTERM or Ctrl-C stops it in order,
the second at once. SIGHUP reads the configuration again: cameras that it does not touch go on."""

EPILOG = """\
examples:
  edged run                              $EDGED_CONFIG, else /etc/edged/edged.yaml
  edged run -c edged.yaml --log-level debug
  edged run -c edged.yaml --log-json     one JSON object a line, for a log collector

exit codes: 0 stopped; 69 a port is taken; 70 all cameras given up, or an error of edged's own; 78 the configuration is
wrong, or its state folder in use by another daemon
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "run", run, "the daemon", DESCRIPTION, EPILOG)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration")
    add_logging_options(parser, "info")


def run(args: argparse.Namespace) -> int:
    """Run until told to stop. Returns 0."""
    from edged.config import find_config, load_config  # noqa: PLC0415
    from edged.logs import configure_logging  # noqa: PLC0415

    configure_logging(args.log_level, as_json=args.log_json)
    path = find_config(args.config)
    config = load_config(path)

    with one_daemon(config.state):
        from edged.daemon import run_daemon  # noqa: PLC0415  heavy: what is wrong so far is said before it

        run_daemon(config, reload=lambda: load_config(path))
    return 0
