"""`edged models`: the models on this device. One module a command below it."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from edged.cli import (
    models_change,
    models_compile,
    models_install,
    models_list,
    models_pack,
    models_show,
    models_update,
    models_verify,
)

if TYPE_CHECKING:
    import argparse

COMMANDS = (
    models_list,
    models_show,
    models_install,
    models_update,
    models_change,
    models_verify,
    models_pack,
    models_compile,
)

DESCRIPTION = "The models on this device: where they come from, which of them labels, and whether they are whole."

EPILOG = """\
a MODEL is: base, which came with edged; name, name@version or sha256:… of an installed one; or where a command says so,
the path of a package's folder or a .tflite file

examples:
  edged models list --catalog                        what can be installed by name
  edged models install coral-birds                   … is downloaded, checked, proved and put in
  edged models use coral-birds                       the daemon labels with it from now on
  edged models rollback                              … and with the one before it again
  edged models show coral-birds                      everything that is known of it
  edged models update                                what the registry of the configuration offers

Which model does the daemon take? model.path of its configuration, where there is one; else the installed model that
model.name names; and where that is base, or not given, the one that `use` chose.
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands' words."""
    parser = commands.add_parser(
        "models",
        help="list, install, choose, show and make models",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    below = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=type(parser))
    for command in COMMANDS:
        command.register(below)
