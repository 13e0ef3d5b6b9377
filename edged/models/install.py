"""A model from outside into the store: gathered, staged, proved in a process that may crash, and only then put in."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from edged.errors import ModelError, UsageError
from edged.models.catalogue import CatalogueFile, catalogue, catalogue_package
from edged.models.download import Patience, Wanted, download
from edged.models.durable import writing
from edged.models.files import MAX_MODEL_BYTES, Tflite, read
from edged.models.manifest import MAX_MANIFEST_BYTES, parse_summary
from edged.models.metadata import ModelMetadata
from edged.models.package import BASE, MANIFEST, open_package, read_summary
from edged.models.prove import prove
from edged.models.read_metadata import read_metadata
from edged.models.store_change import changing, check_owner
from edged.models.tflite_file import inspect
from edged.models.write_package import NewMember, NewPackage, file_name, model_name, package_files, write_files

if TYPE_CHECKING:
    from edged.models.store import Entry, Store

MAX_PACKAGE_BYTES: Final = 512 * 1024 * 1024
NO_VERSION: Final = "0.0.0"
_SHA256: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")

Told = Callable[[str, int, "int | None"], None]
"""Called with a file's name, the bytes of it that are there, and how many there will be, where that is known."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the caller says besides the source.

    Attributes:
        name, version: of a bare `.tflite` or a folder without `model.yaml`, which say neither; None takes the file's
            name, and 0.0.0.
        sha256: what the file (for a package: its `model.yaml`) has to have.
        mirror: an address below which catalogued files lie as `repository/branch/path`.
        origin: where it comes from, for people; None is the source.
    """

    name: str | None = None
    version: str | None = None
    sha256: str | None = None
    mirror: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class _Gathered:
    """A package's files in memory, `model.yaml` among them, and where they come from."""

    files: dict[str, bytes]
    source: str


def install(
    store: Store, source: str, words: Words | None = None, *, told: Told | None = None, patience: Patience | None = None
) -> Entry:
    """Put a model into the store; it is proved first.

    Args:
        store: which one.
        source: a name of the catalogue; a `.tflite` file, a package's folder, an AutoML or Teachable Machine folder; an
            address of a `.tflite` or of a package's `model.yaml`, whose files lie beside it.
        words: what else there is to say.
        told: progress of downloads.
        patience: how long to wait for downloads.

    Raises:
        UsageError: words that do not fit.
        ModelError: there is no such model, or it is damaged, hostile or not what was expected.
        UnavailableError: it cannot be downloaded now, or another edged is changing the store.
        PermissionDeniedError, CannotWriteError: the store cannot be written.
    """
    words = words or Words()
    check_owner(store)
    gathered = _Gatherer(store, words, told or _nobody, patience or Patience()).gather(source)
    with changing(store) as change:
        staged = change.stage()
        write_files(staged, gathered.files)
        try:
            prove(staged)
        except ModelError as error:  # the user knows the source, and nothing of the folder
            raise ModelError(f"{source}: {str(error).replace(f'{staged}/', '').replace(str(staged), '')}") from error
        return change.put_in(staged, words.origin or gathered.source)


class _Gatherer:
    """Everything that a package is to be made of, from wherever it is."""

    def __init__(self, store: Store, words: Words, told: Told, patience: Patience) -> None:
        self._downloads = store.folder / "downloads"
        self._words = words
        self._told = told
        self._patience = patience
        self._sha256 = None if words.sha256 is None else _digest(words.sha256)

    def gather(self, source: str) -> _Gathered:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
            return self._from_address(source)
        published = catalogue().get(source)
        if published is not None:
            self._refuse("a model of the catalogue", "name", "version", "sha256")
            package = catalogue_package(published, self._fetch_published)
            return _Gathered(package_files(package), f"catalogue: {published.source}")
        path = Path(os.path.expanduser(source))  # noqa: PTH111  Path's own raises where there is no such user
        if not os.path.exists(path):  # noqa: PTH110  as above
            if source == BASE:
                raise UsageError("the base model comes with edged; there is nothing to install")
            known = "edged models list --catalog names those that can be downloaded"
            raise ModelError(f"no model {source!r} in the catalogue, and no such file or folder here; {known}")
        return self._from_path(path)

    def _from_address(self, address: str) -> _Gathered:
        if self._sha256 is None:
            raise UsageError(f"{address[:200]}: with --sha256, so that what comes is what you mean (sha256sum FILE)")
        name = file_name(urlsplit(address).path.rpartition("/")[2])
        if name == MANIFEST:
            return self._package_at(address, self._sha256)
        data = self._fetch(Wanted(address, self._sha256), MAX_MODEL_BYTES)
        return self._bare({name: data}, NewMember(model=name), name, address)

    def _package_at(self, address: str, sha256: str) -> _Gathered:
        self._refuse("a package", "name", "version")
        text = self._fetch(Wanted(address, sha256), MAX_MANIFEST_BYTES)
        stated = parse_summary(text, address).stated
        _check_total(sum(file.size for file in stated.values()))
        files = {
            name: self._fetch(Wanted(urljoin(address, name), file.sha256, file.size), MAX_MODEL_BYTES)
            for name, file in stated.items()
        }
        return _Gathered({**files, MANIFEST: text}, address)

    def _from_path(self, path: Path) -> _Gathered:
        folder = os.path.isdir(path)  # noqa: PTH112  as above
        if folder and os.path.lexists(path / MANIFEST):
            return self._package_in(path)
        member = open_package(path).members[0]
        data = read(member.file, MAX_MODEL_BYTES)
        self._check(data, member.file)
        name = file_name(member.file.name)
        files = {name: data}
        new = NewMember(model=name)
        if member.cpu is not None and member.edgetpu is not None:
            twin = file_name(member.edgetpu.name)
            files[twin] = read(member.edgetpu, MAX_MODEL_BYTES)
            new = replace(new, edgetpu=twin)
        if member.labels and not Tflite(member.file, data).labels:  # they lie beside it, in a file of their own
            files["labels.txt"] = "".join(f"{label}\n" for label in member.labels).encode()
            new = replace(new, labels="labels.txt")
        return self._bare(files, new, path.absolute().name, path.name)

    def _package_in(self, folder: Path) -> _Gathered:
        self._refuse("a package", "name", "version")
        text = read(folder / MANIFEST, MAX_MANIFEST_BYTES)
        self._check(text, folder / MANIFEST)
        files: dict[str, bytes] = {}
        for name in read_summary(folder).files:
            if (folder / name).is_symlink():
                raise ModelError(f"{folder / name}: a symbolic link; a package holds its files itself")
            files[name] = read(folder / name, MAX_MODEL_BYTES)
            _check_total(sum(map(len, files.values())))
        return _Gathered({**files, MANIFEST: text}, str(folder.absolute()))

    def _bare(self, files: dict[str, bytes], member: NewMember, called: str, source: str) -> _Gathered:
        """A package out of a model that is none yet."""
        name, version = self._words.name or model_name(called), self._words.version or NO_VERSION
        if name == BASE:
            raise UsageError("base is the name of the model that comes with edged; give another one with --name")
        said = _metadata(files[member.model], source)
        licence = said.licence or "unknown"
        package = NewPackage(name, version, said.name, licence, source, (member,), files)
        return _Gathered(package_files(package), source)

    def _fetch_published(self, file: CatalogueFile) -> bytes:
        return self._fetch(file.wanted(self._words.mirror), MAX_MODEL_BYTES)

    def _fetch(self, wanted: Wanted, most: int) -> bytes:
        with writing(self._downloads):
            self._downloads.mkdir(parents=True, exist_ok=True)
        name = urlsplit(wanted.address).path.rpartition("/")[2]
        return download(
            wanted,
            self._downloads,
            told=lambda have, of: self._told(name, have, of),
            patience=self._patience,
            most=most,
        )

    def _check(self, data: bytes, path: Path) -> None:
        """Compare with the digest that the caller gave, if any."""
        found = hashlib.sha256(data).hexdigest()
        if self._sha256 not in {None, found}:
            raise ModelError(f"{path}: its sha256 is {found}, where {self._sha256} is expected")

    def _refuse(self, what: str, *options: str) -> None:
        for option in options:
            if getattr(self._words, option) is not None:
                raise UsageError(f"--{option}: {what} says that itself")


def _metadata(data: bytes, what: str) -> ModelMetadata:
    try:
        return read_metadata(inspect(data)) or ModelMetadata()
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from error


def _check_total(size: int) -> None:
    if size > MAX_PACKAGE_BYTES:
        raise ModelError(f"a package of more than {MAX_PACKAGE_BYTES // 2**20} MB: not taken")


def _digest(text: str) -> str:
    match = _SHA256.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--sha256 {text[:80]!r} is no sha256: 64 hexadecimal digits")
    return match[1].lower()


def _nobody(name: str, have: int, of: int | None) -> None:
    """Nobody wants to know."""
