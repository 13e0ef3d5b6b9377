"""`edged models list`: what is installed, and what can be."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from edged.cli.models_words import RULE, add_state, open_store, size_words
from edged.cli.words import add_command
from edged.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edged.models.listing import Listed

DESCRIPTION = """\
What is installed, which of it labels, and how it has done; with --catalog, what can be installed by its name."""

EPILOG = f"""\
examples:
  edged models list
  edged models list --catalog
  edged models list --json        one JSON object: {{"schema", "state", "models": […], "refused": […]}}; with --catalog
                                  {{"schema", "models": […]}}

states: good; probation: an update that is being watched, or will be; rolled back: one that did not do well, or was not
wanted; damaged (edged models verify). What updates do not take again of themselves is listed with the reason.

{RULE}
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "list", run, "what is installed, and what can be", DESCRIPTION, EPILOG)
    parser.add_argument("--catalog", action="store_true", help="the published models that edged knows")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Print the list. Returns 0."""
    from edged.models.listing import list_catalogue, list_installed  # noqa: PLC0415  pydantic is slow to import
    from edged.updates.shelf import refusals_of  # noqa: PLC0415  as above

    store = open_store(args)
    if args.catalog:
        known = list_catalogue(store)
        if args.json:
            print(json.dumps({"schema": 1, "models": [one.to_json() for one in known]}))
            return 0
        rows = [
            ("*" if one.installed else " ", one.name, size_words(one.size), "yes" if one.edgetpu else "-", one.knows)
            for one in known
        ]
        _print(("", "name", "download", "Edge TPU", "knows"), rows)
        print("\n* installed. To install one: edged models install NAME")
        return 0
    refused = refusals_of(store).all
    listed = list_installed(store, {refusal.digest: refusal.why for refusal in refused})
    if args.json:
        models = [one.to_json() for one in listed]
        never = [asdict(refusal) for refusal in refused]
        print(json.dumps({"schema": 1, "state": str(store.folder.parent), "models": models, "refused": never}))
        return 0
    _print(("", "name", "version", "state", "size", "Edge TPU", "from"), [_row(one) for one in listed])
    for refusal in refused:
        print(printable(f"refused: {refusal.name} {refusal.version} ({refusal.time[:10]}): {refusal.why}"))
    print("\n* labels now, where the configuration does not name another one; < before it (edged models rollback)")
    return 0


def _row(one: Listed) -> tuple[str, ...]:
    mark = "*" if one.active else "<" if one.previous else " "
    state = one.state.replace("_", " ")
    return mark, one.name, one.version, state, size_words(one.size), "yes" if one.edgetpu else "-", one.source


def _print(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns, the last one of any width."""
    shown = [tuple(printable(cell) for cell in row) for row in (head, *rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(head) - 1)]
    for row in shown:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        print("  ".join((*cells, row[-1])).rstrip())
