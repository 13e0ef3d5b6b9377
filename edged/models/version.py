"""Which of two versions of a model is the newer one."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(r"[0-9]+|[A-Za-z]+")

Order = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]


def version_order(version: str) -> Order:
    """What to sort versions by: `1.2.0-rc1` comes before `1.2.0`, `1.2.0+edgetpu` and `1.2.0.1` after it.

    Numbers count as numbers, so that 1.10.0 is newer than 1.9.0. What is no version comes first.
    """
    match = re.match(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,18})(.*)", version)
    if match is None:
        return (), 0, ()
    rest = match[4]
    kind = 0 if not rest else -1 if rest.startswith("-") else 1
    parts = tuple((1, int(part[:18]), "") if part.isdigit() else (0, 0, part.lower()) for part in _PARTS.findall(rest))
    return tuple(int(match[place]) for place in (1, 2, 3)), kind, parts
