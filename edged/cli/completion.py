"""`edged completion`: what a shell needs to complete edged's words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from edged.cli.words import add_command

if TYPE_CHECKING:
    import argparse

FILES: Final = {
    "bash": "share/bash-completion/completions/edged",
    "zsh": "share/zsh/site-functions/_edged",
    "fish": "share/fish/vendor_completions.d/edged.fish",
}
"""Made by scripts/share from the command line itself; packages copy them to the same places below /usr."""

DESCRIPTION = """\
Prints the script that lets a shell complete edged's commands, options and files with the Tab key. The Debian package
and `edged install` bring it along; by hand it is one of the lines below, and a new shell."""

EPILOG = """\
examples:
  source <(edged completion bash)                       for this shell
  edged completion bash > ~/.local/share/bash-completion/completions/edged
  edged completion zsh | sudo tee /usr/local/share/zsh/site-functions/_edged
  edged completion fish > ~/.config/fish/completions/edged.fish
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "completion", run, "completion for bash, zsh or fish", DESCRIPTION, EPILOG)
    parser.add_argument("shell", choices=tuple(FILES), metavar="SHELL", help="bash, zsh or fish")


def run(args: argparse.Namespace) -> int:
    """Print the script. Returns 0."""
    from edged.resources import data_path  # noqa: PLC0415

    sys.stdout.write(data_path(FILES[args.shell]).read_text("utf-8"))
    return 0
