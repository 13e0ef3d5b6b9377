"""`edged models compile`: a model for the Edge TPU, by Coral's compiler."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.interrupt import interruptible
from edged.cli.models_words import RULE, add_state, open_store
from edged.cli.words import add_command
from edged.errors import UsageError
from edged.text import printable

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Compiles a fully quantised model for the Edge TPU with Coral's edgetpu_compiler, where that is installed. A .tflite gets
its …_edgetpu.tflite beside it, where edged finds it. Of a package, a new one is made that holds both."""

EPILOG = f"""\
examples:
  edged models compile flowers.tflite                 makes flowers_edgetpu.tflite
  edged models compile flowers-1.0.0/ --output flowers-tpu/
  edged models compile base                           … and installs it, as base@…+edgetpu: edged models use that

exit codes: 0; 65 the compiler cannot do this model; 69 there is no edgetpu_compiler here

{RULE}
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = add_command(commands, "compile", run, "for the Edge TPU", DESCRIPTION, EPILOG)
    parser.add_argument("model", metavar="MODEL", help="a .tflite, a package's folder, or a name")
    parser.add_argument("--output", type=Path, metavar="DIR", help="the folder for the result")
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Compile. Returns 0."""
    from edged.models.compile import compile_file, compile_package  # noqa: PLC0415  slow to import
    from edged.models.install import Words, install  # noqa: PLC0415  as above
    from edged.models.package import MANIFEST, find_model  # noqa: PLC0415  as above

    store = open_store(args)
    path = find_model(args.model, (store,))
    with interruptible():
        if not (path / MANIFEST).is_file():
            if path.is_dir():
                raise UsageError(f"{path}: give its .tflite file")
            done = compile_file(path, args.output)
        elif args.output is not None:
            done = compile_package(path, args.output)
        elif os.path.exists(args.model):  # noqa: PTH110  Path's own raises for what it may not look at
            raise UsageError(f"{path}: a package: with --output DIR, for the new one")
        else:
            with tempfile.TemporaryDirectory(prefix="edged-compile-") as folder:
                done = compile_package(path, Path(folder) / "package")
                entry = install(store, str(done.path), Words(origin=f"{args.model}, compiled here"))
            print(printable(done.words.strip(), keep="\n"), file=sys.stderr)
            print(f"installed {entry.label}; to label with it: edged models use {entry.label}")
            return 0
    print(printable(done.words.strip(), keep="\n"), file=sys.stderr)
    print(printable(done.path))
    return 0
