"""`edged registry show`: what a registry has, offers and has revoked; its keys, and until when all this holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edged.cli.registry_words import EXIT_CODES, add_folder, key_folders, megabytes, whom
from edged.cli.words import add_command
from edged.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edged.updates.layout import ModelInfo
    from edged.updates.served import Served

    Models = Sequence[tuple[ModelInfo, tuple[str, ...]]]
    """Every version, and what is wrong with its files."""

DESCRIPTION = """\
What a registry has, what its channels offer, what is revoked, and until when what each key signed holds. Checks every
signature of it, and every file of every model. Needs no keys; where they are here, the root is compared with the one
kept beside them."""

EPILOG = f"""\
examples:
  edged registry show models
  edged registry show models --json | jq .channels.stable
  edged registry show models --json | jq -r '.models[].damage[]'      what is to be restored from a copy

exit code 1: what a role signed has expired, or a model's file is missing or damaged
{EXIT_CODES}"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "show", run, "what it has and offers, and until when", DESCRIPTION, EPILOG)
    add_folder(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--keys", action="append", metavar="FOLDER", help="where a root.json is to compare with (DIR-keys, beside DIR)"
    )


def run(args: argparse.Namespace) -> int:
    """Say what there is. Returns 0, or 1 where devices could not take all of it."""
    from pathlib import Path  # noqa: PLC0415  beside the others

    from edged.updates.keys import pinned_root  # noqa: PLC0415  slow to import
    from edged.updates.served import read_served  # noqa: PLC0415  as above

    args.keys = [Path(folder) for folder in args.keys or []]
    served = read_served(args.folder, pinned_root(key_folders(args)))
    models = [(info, served.damage(info.name, info.version)) for info in served.models()]
    if args.json:
        print(json.dumps(_tree(served, models), indent=1))
    else:
        for line in _lines(args.folder, served, models):
            print(printable(line))
    expired = any(served.role(name).expires < datetime.now(UTC) for name in served.root.roles)
    return 1 if expired or any(damage for _, damage in models) else 0


def _tree(served: Served, models: Models) -> dict[str, object]:
    roles = {
        name: {
            "version": served.role(name).version,
            "expires": f"{served.role(name).expires:%Y-%m-%dT%H:%M:%SZ}",
            "threshold": role.threshold,
            "keys": role.keyids,
        }
        for name, role in served.root.roles.items()
    }
    return {
        "schema": 1,
        "roles": roles,
        "models": [{**asdict(info), "damage": damage} for info, damage in models],
        "channels": {name: asdict(channel)["models"] for name, channel in served.channels().items()},
        "revoked": [asdict(entry) for entry in served.revocations().revoked],
    }


def _lines(folder: Path, served: Served, models: Models) -> Iterator[str]:
    yield f"{folder}: every signature is right{', not every file' if any(damage for _, damage in models) else ''}"
    for name in ("root", "targets", "snapshot", "timestamp"):
        role, signed = served.root.roles[name], served.role(name)
        ids = ", ".join(keyid[:8] for keyid in role.keyids)
        quorum = f", {role.threshold} of them must sign" if len(role.keyids) > 1 else ""
        yield f"{name:<9}  version {signed.version}, {_until(signed.expires)}; key {ids}{quorum}"
    revocations = served.revocations()
    for channel in served.channels().values():
        yield f"channel {channel.channel}{'' if channel.models else ': nothing yet'}"
        for name, offer in sorted(channel.models.items()):
            revoked = " (revoked)" if revocations.of(name, offer.version) else ""
            others = f", {offer.before.version} to the others" if offer.before and offer.rollout < 100 else ""  # noqa: PLR2004
            notes = f": {offer.notes}" if offer.notes else ""
            yield f"  {name} {offer.version}{revoked} to {whom(offer)}{others}{notes}"
    for info, damage in models:
        revoked_entry = revocations.of(info.name, info.version)
        why = f"  revoked {revoked_entry.time}: {revoked_entry.why}" if revoked_entry else ""
        line = f"model {info.name} {info.version}  {megabytes(info.size)}  {info.digest[:19]}…  {info.title}{why}"
        yield line.rstrip()
        yield from (f"  DAMAGED {what}" for what in damage)


def _until(expires: datetime) -> str:
    days = (expires - datetime.now(UTC)).total_seconds() / 86400
    return f"EXPIRED {expires:%Y-%m-%d}" if days < 0 else f"until {expires:%Y-%m-%d} ({days:.0f} days)"
