"""The command line put together: one module a command, each with `register` (its words) and `run` (what it does).

A command's module imports only what its words need; what is heavy is imported when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from edged import __version__
from edged.cli import bench, check, demo, label, run
from edged.errors import EdgedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (demo, run, check, label, bench)

EPILOG = """\
examples:
  edged demo                      labels of sample photos on a broker of its own, nothing to configure
  edged label photo.jpg           what is on this photo?
  edged check -c edged.yaml       is this configuration right?
  edged run -c edged.yaml         the daemon, in the foreground

exit codes: 0 done, 64 usage, 65 bad image or model, 69 a service is unavailable, 70 internal error,
73 cannot write, 77 no permission, 78 configuration
"""


class Parser(argparse.ArgumentParser):
    """argparse with the exit code that sysexits has for a wrong call (64)."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and how to get help."""
        self.exit(UsageError.exit_code, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; shell completion and the manual are made from it too."""
    parser = Parser(
        prog="edged",
        description="Image labelling on the edge: camera frames in, labels out over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edged {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        command.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except EdgedError as error:
        print(f"edged: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) has gone; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
