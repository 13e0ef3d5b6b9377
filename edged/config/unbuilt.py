"""What a configuration may say already, and this version does not do yet: the one list of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.config.schema import Config

UNBUILT: Final[tuple[str, ...]] = ()
"""Keys without effect. An issue that builds one takes it out of here."""


def unbuilt(config: Config) -> list[str]:
    """A sentence for every part that was given and has no effect in this version."""
    return [
        f"{path}: has no effect in this version"
        for path in given_sections(config)
        if any(_matches(path, pattern) for pattern in UNBUILT)
    ]


def _matches(path: str, pattern: str) -> bool:
    """Whether `path` is `pattern`, whose `*` is any one name."""
    steps, wanted = path.split("."), pattern.split(".")
    return len(steps) == len(wanted) and all(want in {"*", step} for step, want in zip(steps, wanted, strict=True))


def given_sections(config: Config) -> list[str]:
    """The paths of all keys that were given in the file and are not empty, sections too, in the schema's order."""
    return list(_given(config, ""))


def _given(section: BaseModel, prefix: str) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        if name not in section.model_fields_set:
            continue
        path = prefix + (field.alias or name)
        yield from _given_value(getattr(section, name), path)


def _given_value(value: object, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        inner = list(_given(value, f"{path}."))
    elif isinstance(value, dict):
        inner = [found for key, item in value.items() for found in _given_item(item, f"{path}.{key}")]
    else:
        if value is not None:
            yield path
        return
    if inner:
        yield path
        yield from inner


def _given_item(section: BaseModel, path: str) -> Iterator[str]:
    """A camera, or a watched label: given by its name alone."""
    yield path
    yield from _given(section, f"{path}.")
