"""The command line put together: one module a command, each with `register` (its words) and `run` (what it does).

A command's module imports only what its words need; what is heavy is imported when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from edged import __version__
from edged.cli import bench, check, completion, demo, doctor, install, label, models, registry, run, watch
from edged.cli.output import CANNOT_WRITE, WRITE_ERRORS, drop_output, open_standard_streams
from edged.errors import EdgedError, UsageError
from edged.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed import SupportsWrite

log = logging.getLogger(__name__)

COMMANDS = (demo, run, check, label, watch, models, registry, doctor, bench, install, completion)

EPILOG = """\
examples:
  edged demo                      labels of sample photos on a broker of its own, nothing to configure
  edged label photo.jpg           what is on this photo?
  edged check -c edged.yaml       is this configuration right?
  edged run -c edged.yaml         the daemon, in the foreground
  edged watch                     what do all devices see, and how are they?
  edged doctor                    what does this machine have, and lack?

exit codes: 0 done, 64 usage, 65 bad image or model, 69 a service is unavailable, 70 internal error,
73 cannot write, 77 no permission, 78 configuration
"""


class Parser(argparse.ArgumentParser):
    """argparse with the exit code that sysexits has for a wrong call (64)."""

    def parse_known_args(
        self,
        args: Iterable[str] | None = None,
        namespace: Any = None,  # noqa: ANN401  argparse's own
    ) -> tuple[Any, list[str]]:
        """As argparse's own, which however lets the outermost command complain of words that an inner one knows not."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and how to get help."""
        self.exit(UsageError.exit_code, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """As argparse's own, which however hides that it could not write."""
        (file or sys.stderr).write(message)


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
    open_standard_streams()
    try:
        code = _run(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        code = 141
    except OSError as error:
        if error.errno not in WRITE_ERRORS:
            raise
        code = CANNOT_WRITE
        with contextlib.suppress(OSError):
            print(f"edged: cannot write: {error.strerror}", file=sys.stderr)
    else:
        return code
    drop_output()
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what there was to say
        return int(end.code or 0)
    try:
        code: int = args.run(args)
    except EdgedError as error:
        _report(error, as_json=getattr(args, "log_json", False))
        return error.exit_code
    return code


def _report(error: EdgedError, *, as_json: bool) -> None:
    if as_json:  # the commands with this option set up logging first thing
        log.error("%s", error)
    else:
        print("edged:", printable(error, keep="\n"), file=sys.stderr)
