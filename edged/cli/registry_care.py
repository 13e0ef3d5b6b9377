"""`edged registry init`, `refresh` and `rotate-key`: the registry's keys, and how long what they sign holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.cli.interrupt import interruptible
from edged.cli.registry_words import EXIT_CODES, add_folder, add_keys, key_folders, lifetime, read_keys
from edged.cli.words import add_command, between
from edged.errors import RegistryError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edged.updates.renew import Renewal

MOST_KEYS: Final = 32

INIT = """\
Makes a registry: a folder of files to be served, and a folder of private keys that is never served. The new root.json
is what devices pin."""

INIT_EPILOG = f"""\
examples:
  edged registry init models
  edged registry init models --keys ~/secret/models-keys --passphrase-file ~/secret/passphrase
  edged registry init models --threshold 2 --root-keys 3       two of three root keys sign a new root
  edged registry init models --expires timestamp=2d --expires snapshot=14d

Take the root-*.pem away from this machine: only `rotate-key` needs them (docs/registry.md).
{EXIT_CODES}"""

REFRESH = """\
Signs again what has less than half of its time left, as far as its keys are here, and says what it renewed. For cron,
daily: a registry that nobody signs expires, and devices then say so and take no updates."""

REFRESH_EPILOG = f"""\
examples:
  edged registry refresh models
  17 3 * * *  edged registry refresh /srv/models --keys /etc/models-keys     (a crontab's line)

needs the keys snapshot and timestamp; with those of targets or root there, it renews these too
{EXIT_CODES}"""

ROTATE = """\
Exchanges a role's keys for new ones, by a new root that devices follow by themselves, however many they have missed.
At once when a key may have leaked, and now and then."""

ROTATE_EPILOG = f"""\
examples:
  edged registry rotate-key models timestamp --keys /media/stick/root-keys --keys models-keys
  edged registry rotate-key models root --keys /media/stick/root-keys
  edged registry rotate-key models root --only 3fa9c1d2            one of several root keys, by its id (see `show`)
  edged registry rotate-key models root --threshold 2 --root-keys 3

needs a quorum of root keys; for targets, snapshot and timestamp also the keys of the roles after it, in this order
(an old key that is lost need not be there)
{EXIT_CODES}"""


def register_init(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of `init`."""
    parser = add_command(commands, "init", run_init, "make a registry and its keys", INIT, INIT_EPILOG)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to be served")
    _add_quorum(parser)
    _add_expires(parser, "root=365d, targets=365d, snapshot=30d, timestamp=7d")
    add_keys(parser)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of `refresh` and `rotate-key`."""
    parser = add_command(commands, "refresh", run_refresh, "sign again what would expire", REFRESH, REFRESH_EPILOG)
    add_folder(parser)
    add_keys(parser)

    parser = add_command(commands, "rotate-key", run_rotate, "new keys for a role", ROTATE, ROTATE_EPILOG)
    add_folder(parser)
    parser.add_argument(
        "role",
        choices=("root", "targets", "snapshot", "timestamp"),
        metavar="ROLE",
        help="root, targets, snapshot or timestamp",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        help="the root key to exchange (all); may be given several times",
    )
    _add_quorum(parser)
    _add_expires(parser, "as it is")
    add_keys(parser)


def run_init(args: argparse.Namespace) -> int:
    """Make a registry. Returns 0."""
    from edged.updates.initial import Initial, Quorum, create_registry  # noqa: PLC0415  slow to import
    from edged.updates.keys import read_passphrase  # noqa: PLC0415  as above

    folders = key_folders(args)
    if len(folders) > 1:
        raise UsageError("--keys: one folder for the new keys; move them to where they belong afterwards")
    quorum = Quorum(args.threshold or 1, args.root_keys or max(1, args.threshold or 1))
    wanted = Initial(folders[0], quorum, dict(args.expires), read_passphrase(args.passphrase_file))
    with interruptible():
        create_registry(args.folder, wanted)
    print(f"{args.folder}: a registry without models yet; serve this folder, whole")
    print(f"{args.folder / 'root.json'}: what devices pin (registry.root)")
    print(f"{folders[0]}: the private keys; keep a copy, and take root-*.pem away from this machine")
    if wanted.passphrase is None:
        print("note: the keys are not encrypted (--passphrase-file)", file=sys.stderr)
    return 0


def run_refresh(args: argparse.Namespace) -> int:
    """Renew what is due. Returns 0; what cannot be renewed in time is an error."""
    from edged.updates.renew import refresh  # noqa: PLC0415  slow to import

    with interruptible():
        due = refresh(args.folder, read_keys(args))
    for renewal in due:
        if renewal.renewed:
            print(f"renewed {renewal.role}, until {renewal.expires:%Y-%m-%d %H:%M} UTC")
    _complain(due)
    return 0


def run_rotate(args: argparse.Namespace) -> int:
    """Exchange keys. Returns 0."""
    from edged.updates.initial import Quorum  # noqa: PLC0415  slow to import
    from edged.updates.renew import rotate  # noqa: PLC0415  as above

    quorum = None
    if args.threshold is not None or args.root_keys is not None:
        if args.threshold is None or args.root_keys is None:
            raise UsageError("--threshold and --root-keys: give both")
        quorum = Quorum(args.threshold, args.root_keys)
    with interruptible():
        done = rotate(args.folder, read_keys(args), args.role, only=args.only, quorum=quorum, wanted=dict(args.expires))
    print(f"new {args.role} key{'s' if len(done.keys) > 1 else ''}: {', '.join(keyid[:8] for keyid in done.keys)}")
    for path in done.retired:
        print(f"{path}: signs no more; delete it once the new root is served")
    return 0


def _complain(due: Sequence[Renewal]) -> None:
    """What should have been renewed and could not, its key being elsewhere: said when it gets late."""
    late = [renewal for renewal in due if renewal.late and not renewal.renewed]
    if late:
        raise RegistryError(
            "; ".join(
                f"{renewal.role} expires at {renewal.expires:%Y-%m-%d %H:%M} UTC, and its key is not here: give"
                " `edged registry refresh` where it is (further folders with --keys)"
                for renewal in late
            )
        )


def _add_expires(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--expires",
        action="append",
        type=lifetime,
        default=[],
        metavar="ROLE=TIME",
        help=f"how long what a role signs holds from now on ({default}); several times",
    )


def _add_quorum(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold", type=between(1, MOST_KEYS, "a number of keys"), metavar="T", help="root keys that must sign (1)"
    )
    parser.add_argument(
        "--root-keys", type=between(1, MOST_KEYS, "a number of keys"), metavar="N", help="root keys that there are (1)"
    )
