"""`edged models update`: what the registry offers, installed and chosen now."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.bars import progress_bars
from edged.cli.interrupt import interruptible
from edged.cli.models_words import size_words
from edged.cli.words import add_command
from edged.text import printable

if TYPE_CHECKING:
    import argparse

    from edged.models.store import Entry
    from edged.updates.by_hand import HandUpdate, Offered
    from edged.updates.registry import Update

DESCRIPTION = """\
Asks the registry of the configuration for a newer model, downloads it, proves it in a process that may crash, puts it
in and chooses it: a running daemon labels with it at once, between two frames; one that starts later begins with the
last good model, and then tries it. Either watches it for a while (registry.probation), and goes back by itself where it
does not do well.

The daemon does all of this by itself (registry.automatic). By hand neither registry.window nor registry.metered holds;
the clock must be set, and the disk have room."""

EPILOG = """\
examples:
  edged models update --check             what is offered? nothing is downloaded
  edged models update --again             also what failed here once, or was rolled back: perhaps after a change of
                                          registry.slowdown. Signatures, proof and probation are as ever
  sudo -u edged edged models update       as the daemon's user: the models are in its state folder
  edged models update -c edged.yaml --json
                                          one JSON object: {"schema", "present", "offered", "reason", "revoked",
                                          "installed"}: models by name, version and digest, or null

without -c: the file that $EDGED_CONFIG names, else /etc/edged/edged.yaml; without --state: its state folder

exit codes: 0 done, or nothing to do; 65 the registry or its model is not to be trusted, or bad; 69 the registry cannot
be asked; 73, 77 the state folder cannot be written; 78 no registry is configured
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "update", run, "take what the registry offers", DESCRIPTION, EPILOG)
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument("--state", type=Path, metavar="DIR", help="the state folder, in place of the configuration's")
    parser.add_argument("--check", action="store_true", help="ask, and change nothing")
    parser.add_argument("--again", action="store_true", help="also what is refused on this device")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask, and install. Returns 0."""
    from edged.config import find_config, load_config  # noqa: PLC0415  slow to import
    from edged.updates.by_hand import HandUpdate  # noqa: PLC0415  as above

    with interruptible():
        config = load_config(find_config(args.config))
        if args.state is not None:
            config = config.model_copy(update={"state": args.state.absolute()})
        hand = HandUpdate(config)
        offered = hand.ask(again=args.again)
        if not args.json:
            _print(offered)
        entry = None
        if not args.check:
            if offered.revoked is not None:
                hand.leave_revoked(offered.revoked)
            if offered.update is not None:
                entry = _install(hand, offered.update)
    if args.json:
        print(json.dumps(_json(offered, entry)))
    elif entry is not None:
        print(f"{entry.label} labels from now on, on probation (edged models list)")
    return 0


def _install(hand: HandUpdate, update: Update) -> Entry:
    with progress_bars() as bars:

        def told(have: int, of: int) -> None:
            if bars is not None:
                bars(f"{update.ref.name} {update.ref.version}", have, of)

        def proving() -> None:
            if bars is not None:
                print("proving …", file=sys.stderr)

        return hand.install(update, told, proving)


def _print(offered: Offered) -> None:
    present, update = offered.present, offered.update
    print(printable(f"{present.name} {present.version} labels"))
    if offered.revoked is not None:
        print(printable(f"it is revoked: {offered.revoked.why}"))
    if update is None:
        print(printable(f"nothing to do: {offered.reason}"))
        return
    print(printable(f"offered: {update.ref.name} {update.ref.version}, {size_words(update.size)}"))
    for line in update.notes.splitlines():
        print(printable(f"  {line}"))


def _json(offered: Offered, entry: Entry | None) -> dict[str, object]:
    update = offered.update
    return {
        "schema": 1,
        "present": asdict(offered.present),
        "offered": None
        if update is None
        else {**asdict(update.ref), "size": update.size, "title": update.title, "notes": update.notes},
        "reason": offered.reason or None,
        "revoked": None if offered.revoked is None else offered.revoked.why,
        "installed": None if entry is None or update is None else asdict(update.ref),
    }
