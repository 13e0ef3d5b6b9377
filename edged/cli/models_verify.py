"""`edged models verify`: is every file of every model what it was when it came?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edged.cli.models_words import RULE, add_state, find_entry, open_store
from edged.cli.words import add_command
from edged.errors import ModelError
from edged.text import printable

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Compares every file of the installed models, and of the base model, with its digest: a worn SD card, a power cut or a
hand in the folder shows."""

EPILOG = f"""\
examples:
  edged models verify                     all of them
  edged models verify coral-birds
  edged models verify --json              one JSON object a line: {{"schema", "name", "version", "digest", "error"}}

exit code: 0; 65 where one is damaged (remove it, install it again)

{RULE}
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "verify", run, "are all files whole?", DESCRIPTION, EPILOG)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="base, name, name@version or sha256:… (all)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Look at every file. Returns 0, or 65."""
    from edged.models.package import BASE, find_model, open_package, read_summary  # noqa: PLC0415  slow to import
    from edged.models.store import open_entry  # noqa: PLC0415  as above

    store = open_store(args)
    code = 0
    wanted = args.models or [BASE, *(f"sha256:{entry.digest}" for entry in store.entries())]
    for one in wanted:
        entry = None if one == BASE else find_entry(store, one)
        error = None
        name, version, digest = BASE, "", ""
        try:
            if entry is None:
                ref = read_summary(find_model(BASE)).ref
                version, digest = ref.version, ref.digest
                open_package(find_model(BASE))
            else:
                name, version, digest = entry.record.name, entry.record.version, f"sha256:{entry.digest}"
                open_entry(entry)
        except ModelError as found:
            error, code = str(found), found.exit_code
        if args.json:
            print(json.dumps({"schema": 1, "name": name, "version": version, "digest": digest, "error": error}))
        else:
            print(printable(f"{name}@{version}: {error or 'whole'}"))
    return code
