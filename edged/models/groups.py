"""`groups.json`: everyday words, each with the classes under it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from edged.errors import ModelError
from edged.labeling.vocabulary import Group
from edged.models.files import MAX_SIDE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REFERENCES: Final = 1_000_000  # of all groups together

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Class = Annotated[int, Field(ge=0, strict=True)]
_GROUPS: Final = TypeAdapter(dict[_Text, Annotated[tuple[_Class, ...], Field(min_length=1)]])


def read_groups(data: bytes, what: str, classes: int | None) -> tuple[Group, ...]:
    """The groups of a file such as `{"Cat": [281, 282]}`, in its order.

    Args:
        data: the file.
        what: what to call it in an error.
        classes: how many the model has, where that is known.

    Raises:
        ModelError: not such a file, a word or a class given twice, or a class that the model does not have.
    """
    if len(data) > MAX_SIDE_BYTES:
        raise ModelError(f"{what}: groups larger than {MAX_SIDE_BYTES // 2**20} MB")
    try:
        pairs = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_Pairs)
        if not isinstance(pairs, _Pairs):
            raise ModelError(f'{what}: not groups, such as {{"Cat": [281, 282]}}')
        groups = _GROUPS.validate_python(dict(pairs))
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()[:5])
        raise ModelError(f"{what}: {words}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{what}: not JSON: {str(error)[:100]}") from error
    if len(groups) != len(pairs):
        raise ModelError(f"{what}: {_twice([word for word, _ in pairs])!r} is there twice")
    if sum(map(len, groups.values())) > MAX_REFERENCES:
        raise ModelError(f"{what}: more than {MAX_REFERENCES} classes in all groups")
    for text, inside in groups.items():
        if len(set(inside)) != len(inside):
            raise ModelError(f"{what}: {text!r} has the class {_twice(inside)} twice")
        if classes is not None and max(inside) >= classes:
            raise ModelError(f"{what}: {text!r} has the class {max(inside)}; the model has {classes}, from 0 on")
    return tuple(Group(text, inside) for text, inside in groups.items())


class _Pairs(list[tuple[str, object]]):
    """An object's keys and values, a key that is there twice included."""


def _twice(values: Sequence[object]) -> object:
    seen: set[object] = set()
    return next(value for value in values if value in seen or seen.add(value))  # type: ignore[func-returns-value]
