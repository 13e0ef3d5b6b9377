"""What the words of all commands have in common."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Number = TypeVar("Number", int, float)


def add_command(  # noqa: PLR0913, PLR0917  a command's name, what runs it, and its three texts
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    """Add a command; its options are for the caller to add."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def between(least: Number, most: Number, what: str) -> Callable[[str], Number]:
    """An argument's type: a number of the limits' own kind, limits included. `what`: such as "a port"."""

    def parse(text: str) -> Number:
        try:
            value = type(least)(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:  # NaN is not between anything
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} ({least:g} to {most:g})")
        return value

    return parse


seconds = between(0.1, 100_000.0, "a number of seconds")
threads = between(1, 1024, "a number of threads")


def add_logging_options(parser: argparse.ArgumentParser, level: str) -> None:
    """The flags of every command that logs."""
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=level,
        help="how much to say (%(default)s)",
    )
    parser.add_argument("--log-json", action="store_true", help="log one JSON object a line")
