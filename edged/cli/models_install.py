"""`edged models install`: a model from the catalogue, a file, a folder or an address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edged.cli.bars import progress_bars
from edged.cli.interrupt import interruptible
from edged.cli.models_change import say_choice, say_what_stands_above
from edged.cli.models_words import RULE, add_state, open_store
from edged.cli.words import add_command, between
from edged.text import printable

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Installs a model: one that the catalogue knows, a .tflite file, a package's folder (also AutoML's and Teachable
Machine's), or what lies at an address. It is compared with its digest and proved in a process that may crash,
before it is put in. A broken download goes on where it broke off. To label with it: edged models use NAME."""

EPILOG = f"""\
examples:
  edged models install coral-mobilenet-v1-0.75-192            by its name (edged models list --catalog)
  edged models install flowers.tflite --name flowers          a file; its twin flowers_edgetpu.tflite comes along
  edged models install flowers-1.2.0/                         a package's folder (edged models pack)
  edged models install https://example.org/flowers.tflite --sha256 9f86d0…
  edged models install https://example.org/flowers/model.yaml --sha256 2c26b4…
                                                              a package: its digest, its files lie beside it

exit codes: 0; 64 wrong words; 65 no such model, or a bad one; 69 offline; 73, 77 the store cannot be written
$EDGED_MIRROR is the default of --mirror. Proxies: $https_proxy, $http_proxy, $no_proxy.

{RULE}
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "install", run, "put a model on this device", DESCRIPTION, EPILOG)
    parser.add_argument("source", metavar="NAME|FILE|FOLDER|ADDRESS", help="what to install")
    parser.add_argument("--sha256", metavar="DIGEST", help="what the file must have (of a package: its model.yaml)")
    parser.add_argument("--name", metavar="N", help="of a bare .tflite (default: the file's)")
    parser.add_argument("--version", metavar="V", help="of a bare .tflite (default: 0.0.0)")
    parser.add_argument("--use", action="store_true", help="and label with it (edged models use)")
    parser.add_argument("--mirror", metavar="URL", help="catalogued files lie below it as OWNER/REPOSITORY/BRANCH/PATH")
    parser.add_argument(
        "--timeout",
        type=between(1.0, 86_400.0, "a number of seconds"),
        default=1800.0,
        metavar="N",
        help="seconds for each file's download (%(default)g)",
    )
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Install. Returns 0."""
    from edged.models.catalogue import MIRROR_VARIABLE  # noqa: PLC0415  slow to import
    from edged.models.download import Patience  # noqa: PLC0415  as above
    from edged.models.install import Words, install  # noqa: PLC0415  as above
    from edged.updates.shelf import open_shelf  # noqa: PLC0415  as above

    store = open_store(args)
    mirror = args.mirror or os.environ.get(MIRROR_VARIABLE) or None
    words = Words(name=args.name, version=args.version, sha256=args.sha256, mirror=mirror)
    with interruptible():
        with progress_bars() as told:
            entry = install(store, args.source, words, told=told, patience=Patience(total=args.timeout))
        print(printable(f"installed {entry.label} (sha256:{entry.digest[:12]}…) in {entry.folder}"))
        if args.use:
            say_choice(store, open_shelf(store.folder.parent).use_by_hand(entry))
            say_what_stands_above(store, entry.record.name, args.config)
        else:
            print(f"to label with it: edged models use {entry.record.name}")
    return 0
