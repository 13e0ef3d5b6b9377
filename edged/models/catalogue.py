"""The catalogue of published models that travels with edged: `models/catalog.yaml`, and a package out of an entry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field

from edged.models.download import Wanted
from edged.models.files import MAX_MODEL_BYTES, MAX_SIDE_BYTES, read
from edged.models.groups import read_groups
from edged.models.write_package import NewMember, NewPackage, file_name
from edged.resources import data_path

if TYPE_CHECKING:
    from collections.abc import Callable

FILE: Final = "models/catalog.yaml"
MIRROR_VARIABLE: Final = "EDGED_MIRROR"
BASE_GROUPS: Final = "models/base/groups.json"
_MAX_BYTES: Final = 256 * 1024
_GROUPS: Final = "groups.json"

_Path = Annotated[str, Field(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9._/-]*\z", max_length=256)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Repository(_Strict):
    repository: _Path
    branch: _Path


class _File(_Strict):
    repository: str = Field(alias="from")
    path: _Path
    size: int = Field(gt=0, le=MAX_MODEL_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Model(_Strict):
    version: str
    title: str
    knows: str
    licence: str
    model: _File
    edgetpu: _File | None = None
    labels: str | None = None
    base_groups_from: int | None = Field(default=None, ge=0)


class _Catalogue(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    address: str
    repositories: dict[str, _Repository]
    labels: dict[str, _File]
    models: dict[str, _Model]


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """A published file. `address` has the place of the repository in front of `path`, its branch included."""

    address: str
    place: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """What it is called in a package."""
        return file_name(self.place.rpartition("/")[2])

    def wanted(self, mirror: str | None) -> Wanted:
        """What to download: from where it was published, or from a mirror with `repository/branch/path` below it."""
        address = self.address if mirror is None else f"{mirror.rstrip('/')}/{quote(self.place)}"
        return Wanted(address, self.sha256, self.size)


@dataclass(frozen=True, slots=True)
class Published:
    """A model of the catalogue.

    Attributes:
        knows: what its labels are about, for people.
        source: where it was published.
        base_groups_from: the class at which the base model's thousand classes begin; None for another set of classes.
    """

    name: str
    version: str
    title: str
    knows: str
    licence: str
    source: str
    model: CatalogueFile
    edgetpu: CatalogueFile | None
    labels: CatalogueFile | None
    base_groups_from: int | None

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in (self.model, self.edgetpu, self.labels) if file is not None)


@cache
def catalogue() -> dict[str, Published]:
    """Every model that is known, by its name. The file is one of edged's own: what is wrong in it is a bug."""
    path = data_path(FILE)
    tree = _Catalogue.model_validate(yaml.safe_load(read(path, _MAX_BYTES)))
    return {name: _published(tree, name, model) for name, model in tree.models.items()}


def catalogue_package(model: Published, fetch: Callable[[CatalogueFile], bytes]) -> NewPackage:
    """A package out of a catalogued model; `fetch` gives its files."""
    files = {model.model.name: fetch(model.model)}
    for further in (model.edgetpu, model.labels):
        if further is not None:
            files[further.name] = fetch(further)
    groups = None if model.base_groups_from is None else _base_groups(model.base_groups_from)
    if groups is not None:
        files[_GROUPS] = groups
    member = NewMember(
        model=model.model.name,
        edgetpu=None if model.edgetpu is None else model.edgetpu.name,
        labels=None if model.labels is None else model.labels.name,
        groups=None if groups is None else _GROUPS,
    )
    return NewPackage(model.name, model.version, model.title, model.licence, model.source, (member,), files)


def _base_groups(first: int) -> bytes:
    """The base model's everyday words over the same classes, of which the first one has this index."""
    path = data_path(BASE_GROUPS)
    groups = read_groups(read(path, MAX_SIDE_BYTES), str(path), None)
    lines = [f"{json.dumps(group.text)}: {json.dumps([first + index for index in group.classes])}" for group in groups]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _published(tree: _Catalogue, name: str, model: _Model) -> Published:
    labels = None if model.labels is None else tree.labels[model.labels]
    repository = tree.repositories[model.model.repository]
    return Published(
        name=name,
        version=model.version,
        title=model.title,
        knows=model.knows,
        licence=model.licence,
        source=f"{repository.repository} ({repository.branch}): {model.model.path}",
        model=_file(tree, model.model),
        edgetpu=None if model.edgetpu is None else _file(tree, model.edgetpu),
        labels=None if labels is None else _file(tree, labels),
        base_groups_from=model.base_groups_from,
    )


def _file(tree: _Catalogue, file: _File) -> CatalogueFile:
    place = tree.repositories[file.repository]
    address = tree.address.format(repository=place.repository, branch=place.branch, path=file.path)
    return CatalogueFile(address, f"{place.repository}/{place.branch}/{file.path}", file.size, file.sha256)
