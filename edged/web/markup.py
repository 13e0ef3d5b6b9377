"""HTML that cannot be broken into: every text is escaped unless it is markup already, so a label stays a text."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_VOID: Final = frozenset({"input", "link", "meta", "img", "br", "rect", "polygon"})
_ODD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a reader instead of being read: control characters, marks that turn the direction of text around."""


class Markup(str):
    """Text that is HTML, made by `tag`."""

    __slots__ = ()


def plain(text: object) -> str:
    """A text for people, from wherever it comes: without what would steer what is around it."""
    return _ODD.sub("\N{REPLACEMENT CHARACTER}", str(text))


def tag(name: str, attributes: Mapping[str, str | float | bool | None] | None = None, *children: object) -> Markup:
    """An element.

    Args:
        name: of the element.
        attributes: an attribute that is None or False is left out; True is one without a value.
        children: markup goes in as it is, None not at all, everything else as text.
    """
    given = "".join(_attribute(key, value) for key, value in (attributes or {}).items())
    if name in _VOID:
        return Markup(f"<{name}{given}>" if name not in {"rect", "polygon"} else f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Several in a row."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(plain(child), quote=False)
            for child in children
            if child is not None
        )
    )


def _attribute(name: str, value: str | float | bool | None) -> str:  # noqa: FBT001  an attribute may be one
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(plain(value))}"'
