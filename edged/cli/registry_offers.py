"""`edged registry publish`, `promote` and `revoke`: what devices are offered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.interrupt import interruptible
from edged.cli.registry_words import EXIT_CODES, add_folder, add_keys, channel_name, megabytes, read_keys, whom
from edged.cli.words import add_command, between
from edged.errors import UsageError
from edged.text import printable

if TYPE_CHECKING:
    import argparse

    from edged.updates.publish import Published

PUBLISH = """\
Checks a package as a device would (in a process that may die of it, golden photos included), signs it, and offers it
in a channel. Versions are never used twice, and never go down in a channel. Whatever goes wrong, or is interrupted at
any moment: what was served before is served still."""

PUBLISH_EPILOG = f"""\
examples:
  edged registry publish models birds/                                 to all devices of the channel `stable`
  edged registry publish models birds/ --channel canary --notes "knows magpies"
  edged registry publish models birds/ --rollout 10 --requires 'edged=>=0.2' --requires machine=aarch64

Devices outside the rollout's share stay on what they have; raise it with `edged registry promote`.
needs the keys targets, snapshot and timestamp
{EXIT_CODES}"""

PROMOTE = """\
Offers a version that is published already in another channel, or to another share of the devices. Each device works
out from its own id whether it is in the share: a larger share only adds devices."""

PROMOTE_EPILOG = f"""\
examples:
  edged registry promote models birds 1.2.0 --channel stable --rollout 10
  edged registry promote models birds 1.2.0 --channel stable           to the rest
  edged registry promote models birds 1.2.0 --channel stable --rollout 0   to no further devices

needs the keys targets, snapshot and timestamp
{EXIT_CODES}"""

REVOKE = """\
Tells all devices, of all channels, to use a version no more: they go back to their last good one, at their next look
at the registry. It cannot be undone; publish what is mended under a higher version."""

REVOKE_EPILOG = f"""\
example:
  edged registry revoke models birds 1.2.0 --why "takes cats for birds"

needs the keys targets, snapshot and timestamp
{EXIT_CODES}"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of the three commands."""
    parser = add_command(
        commands, "publish", run_publish, "sign a package and offer it in a channel", PUBLISH, PUBLISH_EPILOG
    )
    add_folder(parser)
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="a folder with model.yaml")
    _add_release(parser, "stable")
    parser.add_argument(
        "--requires",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what a device must have: 'edged=>=0.2,<2', machine=aarch64,x86_64; may be given several times",
    )
    add_keys(parser)

    parser = add_command(
        commands, "promote", run_promote, "another channel, or a larger share of devices", PROMOTE, PROMOTE_EPILOG
    )
    add_folder(parser)
    parser.add_argument("name", metavar="NAME", help="the model's name")
    parser.add_argument("version", metavar="VERSION", help="its version")
    _add_release(parser, None)
    add_keys(parser)

    parser = add_command(
        commands, "revoke", run_revoke, "no device shall use a version any more", REVOKE, REVOKE_EPILOG
    )
    add_folder(parser)
    parser.add_argument("name", metavar="NAME", help="the model's name")
    parser.add_argument("version", metavar="VERSION", help="its version")
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason, which devices publish")
    add_keys(parser)


def run_publish(args: argparse.Namespace) -> int:
    """Publish a package. Returns 0."""
    from edged.models.prove import prove  # noqa: PLC0415  slow to import
    from edged.updates.publish import Release, publish  # noqa: PLC0415  as above
    from edged.updates.requires import parse_requirement  # noqa: PLC0415  as above

    release = Release(args.channel, args.rollout, args.notes, dict(map(parse_requirement, args.requires)))
    with interruptible():
        done = publish(args.folder, read_keys(args), args.package, release, prove)
    print(f"published {done.model.name} {done.model.version} ({megabytes(done.model.size)}, {done.model.digest})")
    _say_offer(done)
    return 0


def run_promote(args: argparse.Namespace) -> int:
    """Promote a version. Returns 0."""
    from edged.updates.publish import Release, promote  # noqa: PLC0415  slow to import

    release = Release(args.channel, args.rollout, args.notes)
    with interruptible():
        done = promote(args.folder, read_keys(args), args.name, args.version, release)
    _say_offer(done)
    if done.replaced and done.replaced.version == done.offer.version and done.replaced.rollout > done.offer.rollout:
        print(f"note: devices that have {done.offer.version} keep it; to take it from them, revoke it", file=sys.stderr)
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    """Revoke a version. Returns 0."""
    from edged.updates.publish import revoke  # noqa: PLC0415  slow to import
    from edged.updates.served import read_served  # noqa: PLC0415  as above

    if not args.why.strip():
        raise UsageError("--why: say why; it is what the people at the devices get to read")
    keys = read_keys(args)
    with interruptible():
        done = revoke(args.folder, keys, args.name, args.version, args.why)
    print(f"revoked {done.name} {done.version} ({done.digest}): {printable(done.why)}")
    for channel in read_served(args.folder, keys.pinned_root()).channels().values():
        offer = channel.models.get(done.name)
        if offer is not None and offer.version == done.version:
            instead = f"offers {offer.before.version}" if offer.before else "offers none"
            print(f"channel {channel.channel} {instead} until a higher version is published there")
    return 0


def _add_release(parser: argparse.ArgumentParser, channel: str | None) -> None:
    parser.add_argument(
        "--channel",
        type=channel_name,
        default=channel,
        required=channel is None,
        metavar="C",
        help="where to offer it" + (" (%(default)s)" if channel else ""),
    )
    parser.add_argument(
        "--rollout",
        type=between(0.0, 100.0, "a share in percent"),
        default=100.0,
        metavar="PERCENT",
        help="the share of the devices that are to take it (%(default)g)",
    )
    parser.add_argument("--notes", default="", metavar="TEXT", help="what is new, for people")


def _say_offer(done: Published) -> None:
    line = f"channel {done.channel} offers {done.model.name} {done.offer.version} to {whom(done.offer)}"
    if done.offer.rollout < 100 and done.offer.before:  # noqa: PLR2004  percent
        line += f", {done.offer.before.version} to the others"
    print(line)
