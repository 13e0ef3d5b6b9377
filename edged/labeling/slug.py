"""Labels as parts of a topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_OTHERS = re.compile(r"[^a-z0-9]+")


def slugs(texts: Sequence[str]) -> tuple[str, ...]:
    """One slug a label, unique within the model: lower case, every run of other characters one `-`.

    A slug that comes out empty or is taken becomes `label-<index>` (INTERFACES, "Names").
    """
    taken: set[str] = set()
    result = []
    for index, text in enumerate(texts):
        slug = _OTHERS.sub("-", text.lower()).strip("-")
        if not slug or slug in taken:
            slug = f"label-{index}"
        while slug in taken:  # a label that is called "Label 3" itself
            slug += "-"
        taken.add(slug)
        result.append(slug)
    return tuple(result)
