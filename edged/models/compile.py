"""Models compiled for the Edge TPU by Coral's own compiler, where it is installed; its output becomes the twin."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from edged.child import run_child
from edged.errors import CannotWriteError, ModelError, UnavailableError
from edged.models.durable import move, sync_folder, write_file, writing
from edged.models.files import MAX_MODEL_BYTES, Tflite, read
from edged.models.manifest import MAX_MANIFEST_BYTES
from edged.models.package import MANIFEST, open_package
from edged.models.write_package import dump, stated, write_files

COMPILER: Final = "edgetpu_compiler"
SECONDS: Final = 600.0
SUFFIX: Final = "_edgetpu"
_CURE: Final = "a model must be fully quantised to 8 bits to be compiled"
WHERE: Final = """\
edgetpu_compiler is not on this machine. It is Coral's, for 64-bit x86 Debian or Ubuntu (not for a Raspberry Pi):
https://coral.ai/docs/edgetpu/compiler/
Install it on a PC, run this command there, and copy the result over."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of a model: where the result lies, and the compiler's own words."""

    path: Path
    words: str


def compile_file(model: Path, folder: Path | None = None) -> Compiled:
    """Compile a `.tflite` for the Edge TPU. The result is called `…_edgetpu.tflite`, as edged looks for a twin.

    Args:
        model: fully quantised, else the compiler refuses it.
        folder: where the result goes; None is beside the model.

    Raises:
        UnavailableError: the compiler is not installed, or does not end.
        ModelError: it cannot compile this model.
        PermissionDeniedError, CannotWriteError: the result cannot be written.
    """
    data, words = _compiled(model)
    target = (folder or model.parent) / f"{model.stem}{SUFFIX}.tflite"
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            write_file(scratch, data)
            move(scratch, target)
        finally:
            scratch.unlink(missing_ok=True)
    return Compiled(target, words)


def compile_package(package: Path, output: Path) -> Compiled:
    """A package like this one, and with a twin for every member that had none.

    Its version gets `+edgetpu` at its end: it is not the same package any more.

    Args:
        package: a folder with `model.yaml`.
        output: a folder that is not there yet, or empty.

    Raises: as `compile_file`.
    """
    opened = open_package(package)
    with writing(output):
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise CannotWriteError(f"{output}: there is something already; give a folder that is not there yet")
    twins = {member.name: _compiled(member.cpu) for member in opened.members if member.cpu and not member.edgetpu}
    if not twins:
        raise ModelError(f"{package}: every model in it has its Edge TPU file already")
    tree = yaml.safe_load(read(package / MANIFEST, MAX_MANIFEST_BYTES))  # open_package has found it right
    files = {name: read(package / name, MAX_MODEL_BYTES) for name in tree["files"]}
    for member in tree["members"]:
        if member["name"] in twins:
            name = f"{Path(member['model']).stem}{SUFFIX}.tflite"
            files[name], _ = twins[member["name"]]
            member["edgetpu"] = name
    tree["version"] += ".edgetpu" if "+" in tree["version"] else "+edgetpu"
    files[MANIFEST] = dump({**tree, "files": stated(files)}).encode()
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        write_files(staged / "package", files)
        open_package(staged / "package")
        with writing(output):
            (staged / "package").replace(output)
            sync_folder(output.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Compiled(output, "\n".join(words for _, words in twins.values()))


def _compiled(model: Path) -> tuple[bytes, str]:
    """The compiled file, and what the compiler said."""
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise UnavailableError(WHERE)
    data = read(model, MAX_MODEL_BYTES)
    if Tflite(model, data).file.compiled:
        raise ModelError(f"{model}: compiled for the Edge TPU already")
    with tempfile.TemporaryDirectory(prefix="edged-compile-") as folder:
        source = Path(folder) / "model.tflite"  # a name of ours: the compiler is not asked about others
        source.write_bytes(data)
        ended = run_child([compiler, "-s", "-o", folder, str(source)], SECONDS)
        words = " ".join(f"{ended.output}\n{ended.words}".split("\n")[-12:]).strip()
        made = Path(folder) / f"model{SUFFIX}.tflite"
        if ended.fate is not None or not made.is_file():
            raise ModelError(f"{model}: {COMPILER} {ended.fate or 'made no file'}: {words[:500]} ({_CURE})")
        twin = read(made, MAX_MODEL_BYTES)
    if not Tflite(made, twin).file.compiled:
        raise ModelError(f"{model}: {COMPILER} found nothing in it that the Edge TPU can do ({_CURE})")
    return twin, ended.output
