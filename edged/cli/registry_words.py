"""What the words of all `edged registry` commands have in common: the folder, the keys, and reading them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edged.updates.keys import Keys
    from edged.updates.layout import Offer

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_LONGEST: Final = 3650 * _UNITS["d"]
_ROLES: Final = ("root", "targets", "snapshot", "timestamp")

EXIT_CODES = """\
exit codes: 0 done, 64 wrong words or an order that does not fit, 65 package, registry or keys are not right,
69 another command works on it, 73 cannot write, 77 no permission (and keys that others can read)
"""


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The registry's folder."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the registry's folder")


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Where the keys are, and what unlocks them."""
    parser.add_argument(
        "--keys",
        action="append",
        type=Path,
        metavar="FOLDER",
        help="where the private keys are (DIR-keys, beside DIR); several times: new keys go into the first",
    )
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="the keys' passphrase ($EDGED_REGISTRY_PASSPHRASE; without either, new keys are not encrypted)",
    )


def key_folders(args: argparse.Namespace) -> tuple[Path, ...]:
    """The folders of keys."""
    folder: Path = args.folder.resolve()
    return tuple(args.keys or [folder.with_name(f"{folder.name or 'registry'}-keys")])


def read_keys(args: argparse.Namespace) -> Keys:
    """The keys at hand. Raises as `edged.updates.keys.Keys`."""
    from edged.updates.keys import Keys, read_passphrase  # noqa: PLC0415  cryptography is slow to import

    return Keys(key_folders(args), read_passphrase(args.passphrase_file))


def channel_name(text: str) -> str:
    """An argument's type: a channel."""
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a channel's name (small letters, digits, '.', '_', '-')")
    return text


def lifetime(text: str) -> tuple[str, int]:
    """An argument's type: `ROLE=TIME`, such as `timestamp=12h`, in seconds."""
    match = re.fullmatch(r"([a-z]+)=([0-9]{1,6})([smhd])", text)
    if match is None or match[1] not in _ROLES or not 0 < int(match[2]) * _UNITS[match[3]] <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not ROLE=TIME, such as timestamp=12h or root=730d ({', '.join(_ROLES)}; up to 3650d)"
        )
    return match[1], int(match[2]) * _UNITS[match[3]]


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"  # noqa: PLR2004  a tenth of a megabyte


def whom(offer: Offer) -> str:
    """The devices that are to take what is offered, for people."""
    share = "all devices" if offer.rollout == 100 else f"{offer.rollout:g} % of the devices"  # noqa: PLR2004  percent
    asked = ", ".join(f"{key}={value}" for key, value in sorted(offer.requires.items()))
    return f"{share} with {asked}" if asked else share
