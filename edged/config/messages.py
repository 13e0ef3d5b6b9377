"""pydantic's errors as findings: with their line, in words for people, and with nothing secret in them."""

from __future__ import annotations

import difflib
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel

from edged.config.document import Scalar
from edged.config.expand import locate
from edged.config.schema import Config
from edged.config.types import redact
from edged.errors import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic_core import ErrorDetails

    from edged.config.document import Node
    from edged.config.expand import Path

SECRET_KEYS: Final = frozenset({"password", "password_file", "token_file", "source", "url", "username"})
"""Their values are never repeated: they hold secrets, or people put one there by mistake."""

LONGEST_SHOWN: Final = 40
LONGEST_SHOWN_KEY: Final = 64

WORDS: Final = {
    "missing": "is missing (it has no default)",
    "model_type": "does not fit (must be a mapping: keys with values)",
    "model_attributes_type": "does not fit (must be a mapping: keys with values)",
    "dict_type": "does not fit (must be a mapping: keys with values)",
}
"""Errors of form, by pydantic's type. Errors of value bring their own words."""


def explain(errors: Iterable[ErrorDetails], root: Node | None, filled: set[Path], file: str) -> list[Finding]:
    """Findings for pydantic's `errors` about the tree `root`; the values at `filled` are not to be repeated."""
    findings = []
    for error in errors:
        path: Path = error["loc"]
        is_name = path[-1:] == ("[key]",)
        path = path[:-1] if is_name else path
        context: dict[str, Any] = error.get("ctx", {})
        if context.get("at"):
            path = (*path[:-1], *context["at"])
        line, node = locate(root, path)
        shown = "" if path in filled else _shown(node, path)
        if is_name:
            shown = f"the name '{_key(str(path[-1]))}'"
        findings.append(Finding(file, line, dotted(path), _message(error, path, shown)))
    return findings


def dotted(path: Sequence[str | int]) -> str:
    """`cameras.porch.masks[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in path)
    return text.removeprefix(".")


def _message(error: ErrorDetails, path: Path, shown: str) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "not_allowed":
            return f"{shown or 'the value'} does not fit (must be {context['allowed']})"
        case "problem":
            return f"{context['what']} ({context['must']})"
        case "extra_forbidden":
            return _unknown(path)
        case kind:
            return WORDS.get(kind, "the value does not fit (see docs/configuration.md)")


def _unknown(path: Path) -> str:
    known = known_keys(path[:-1])
    key = str(path[-1])
    name, colon, _ = key.partition(":")
    if colon and name in known:
        return "the space after the colon is missing (key: value)"
    close = difflib.get_close_matches(key[:LONGEST_SHOWN].lower(), known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"is not a known key{hint} (known here: {', '.join(known)})"


def known_keys(path: Path) -> list[str]:
    """The keys that the mapping at `path` takes; empty where names are free."""
    kind: Any = Config
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            by_key = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            kind = _without_null(by_key.get(str(step)))
        else:  # dict[name, section]
            kind = get_args(kind)[-1] if get_args(kind) else None
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def _without_null(annotation: Any) -> Any:  # noqa: ANN401  annotations are of any type
    if isinstance(annotation, UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _shown(node: Node | None, path: Path) -> str:
    """The value as the user wrote it; empty when it is better not repeated."""
    if not isinstance(node, Scalar) or (path[-1:] and path[-1] in SECRET_KEYS):
        return ""
    if not node.text:
        return "nothing"
    if "@" in node.text or "://" in node.text or len(node.text) > LONGEST_SHOWN or not node.text.isprintable():
        return ""
    return f"'{node.text}'"


def _key(key: str) -> str:
    """A key in a message: one line, not long, and without what may be a value that stuck to it (`password:secret`)."""
    if len(key) > LONGEST_SHOWN_KEY:
        return "…"
    key = redact(key)
    if ":" in key:
        key = key.partition(":")[0] + ":…"
    return "".join(character if character.isprintable() else "?" for character in key)
