"""`edged registry`: a signed model registry in a folder, from which any web server, bucket or share serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.cli import registry_care, registry_offers, registry_show

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
A signed model registry: a folder of static files that any web server, bucket, share or USB stick serves. Devices pin
its root.json and take nothing that is not signed. The private keys stay in a folder of their own."""

EPILOG = """\
examples:
  edged registry init models                       makes models/, and models-keys/ for the private keys
  edged registry publish models birds/ --channel canary
  edged registry promote models birds 1.2.0 --channel stable --rollout 25
  edged registry revoke models birds 1.2.0 --why "takes cats for birds"
  edged registry refresh models                    daily, by cron: signs again what would expire
  edged registry show models

`edged registry COMMAND --help` says more.
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its commands."""
    import argparse  # noqa: PLC0415  for its formatter alone

    parser = commands.add_parser(
        "registry",
        help="a signed model registry in a folder of static files",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(metavar="COMMAND", required=True)
    registry_care.register_init(inner)
    registry_offers.register(inner)
    registry_care.register(inner)
    registry_show.register(inner)
