"""`edged models use`, `rollback` and `remove`: which model labels, and which is not needed any more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from edged.cli.models_words import RULE, add_state, find_entry, open_store
from edged.cli.words import add_command
from edged.errors import ConfigError, ModelError, UsageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from edged.models.store import Entry, Store

USE = f"""\
examples:
  edged models use coral-birds            its newest version that is installed, and has not failed here
  edged models use coral-birds@1.0.0
  edged models use base                   the one that came with edged

The choice is for a configuration whose model.name is base, or that does not say: one that names a model keeps that one.

{RULE}
"""

ROLLBACK = f"""\
example:
  edged models rollback                   and once more: forwards again

A model that the registry brought is refused from then on: it is not installed again by itself. `use` takes it all the
same.

{RULE}
"""

REMOVE = f"""\
examples:
  edged models remove coral-birds@1.0.0
  edged models remove sha256:0123abcd     the one with this digest (edged models list --json)

The model that labels is not removed: choose another one first.

{RULE}
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of the three commands."""
    use = add_command(commands, "use", run_use, "label with this model", "Labels with this model from now on.", USE)
    use.add_argument("model", metavar="MODEL", help="base, name, name@version or sha256:…")
    back = add_command(
        commands, "rollback", run_rollback, "label with the one before", "Goes back to the choice before.", ROLLBACK
    )
    remove = add_command(commands, "remove", run_remove, "take a model off", "Takes a model off this device.", REMOVE)
    remove.add_argument("model", metavar="MODEL", help="name, name@version or sha256:…")
    for parser in (use, back, remove):
        add_state(parser)


def run_use(args: argparse.Namespace) -> int:
    """Choose. Returns 0."""
    from edged.models.package import BASE  # noqa: PLC0415  slow to import
    from edged.models.store import open_entry  # noqa: PLC0415  as above
    from edged.updates.shelf import open_shelf  # noqa: PLC0415  as above

    store = open_store(args)
    shelf = open_shelf(store.folder.parent)
    entry = None if args.model == BASE else shelf.find(args.model) or find_entry(store, args.model)
    if entry is not None:
        if (revoked := shelf.revocation(entry)) is not None:
            raise ModelError(f"{entry.label}: {revoked}; take another one (edged models list)")
        open_entry(entry)  # a torn one is no choice
    say_choice(store, shelf.use_by_hand(entry))
    say_what_stands_above(store, BASE if entry is None else entry.record.name, args.config)
    return 0


def run_rollback(args: argparse.Namespace) -> int:
    """Go back. Returns 0."""
    from edged.models.store_change import changing  # noqa: PLC0415  slow to import
    from edged.updates.shelf import BY_HAND, came_from_registry, open_shelf  # noqa: PLC0415  as above

    store = open_store(args)
    shelf = open_shelf(store.folder.parent)
    left = shelf.on_trial() or store.active()
    if left is not None and (came_from_registry(left) or left.record.state == "probation"):
        shelf.mark_bad(left, BY_HAND)
        entry = store.active()
        print(f"{left.label} is refused from now on")
    else:
        with changing(store) as change:
            entry = change.rollback()
    say_choice(store, entry)
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Take it off. Returns 0."""
    from edged.models.package import BASE  # noqa: PLC0415  slow to import
    from edged.models.store_change import changing  # noqa: PLC0415  as above

    store = open_store(args)
    if args.model == BASE:
        raise UsageError("the base model is a part of edged, and the last resort: it stays")
    with changing(store) as change:
        entry = find_entry(store, args.model)
        change.remove(entry)
    print(f"removed {entry.label}")
    return 0


def say_what_stands_above(store: Store, name: str, path: Path | None) -> None:
    """A note where the daemon's configuration names another model: the choice lasts until its next start at most.

    Args:
        store: of the choice.
        name: of the model that was chosen.
        path: of the configuration; None: the machine's, where it has this store.
    """
    from edged.config import load_config  # noqa: PLC0415  as above
    from edged.models.package import BASE  # noqa: PLC0415  slow to import
    from edged.models.places import configured  # noqa: PLC0415  as above
    from edged.models.store import Store  # noqa: PLC0415  as above

    try:
        config = configured() if path is None else load_config(path)
    except ConfigError:
        return
    if config is None or Store(config.state).folder != store.folder:
        return
    if config.model.path is not None or config.model.name not in {BASE, name}:
        named = f"model.path: {config.model.path}" if config.model.path else f"model.name: {config.model.name}"
        print(f"note: the configuration names {named}, and that labels from the next start on", file=sys.stderr)


def say_choice(store: Store, entry: Entry | None) -> None:
    """What labels, and how far it is to be trusted."""
    how = ", on probation" if entry is not None and entry.record.state == "probation" else ""
    print(f"{_label(entry)} labels from now on{how} ({store.folder.parent})")


def _label(entry: Entry | None) -> str:
    return "the base model" if entry is None else entry.label
