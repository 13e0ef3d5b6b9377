"""The tree to plain values: aliases followed, `${ENV}` filled in, null told from text; each value found by its path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from edged.config.document import CONTROL, DEEPEST, MOST_NODES, NULLS, DocumentError, Items, Mapping, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping as Environment

Path = tuple[str | int, ...]

MOST_CHARACTERS: Final = 2_000_000
"""In all keys and values, aliases and variables expanded: twice the largest file."""

# `$${` stands for a plain `${`
_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME_AND_DEFAULT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})(?::-(.*))?", re.DOTALL)


class Expander:
    """Makes values of one tree.

    Attributes:
        errors: what is wrong, as (path, line, message).
        filled: paths of the values that `${ENV}` gave a part of. They may be secret: no message repeats them.
    """

    def __init__(self, environment: Environment[str, str]) -> None:
        self.errors: list[tuple[Path, int, str]] = []
        self.filled: set[Path] = set()
        self._environment = environment
        self._nodes = 0
        self._characters = 0

    def value(self, node: Node, path: Path = ()) -> Any:  # noqa: ANN401  dict, list, str or None, for pydantic to check
        """The value of `node`, which stands at `path`.

        Raises:
            DocumentError: the aliases multiply to more than a configuration can need.
        """
        self._nodes += 1
        if self._nodes > MOST_NODES or len(path) > DEEPEST:  # aliases of aliases ("billion laughs")
            raise DocumentError(node.line, f"too many values (up to {MOST_NODES:,}, aliases counted)")
        match node:
            case Items():
                return [self.value(item, (*path, index)) for index, item in enumerate(node.items)]
            case Mapping():
                for key, again in node.twice:
                    first = node.entries[key][0]
                    self.errors.append(
                        ((*path, key), again, f"is written twice, on lines {first} and {again} (once is allowed)")
                    )
                for key in node.entries:
                    self._count(len(key), node.line)
                return {key: self.value(child, (*path, key)) for key, (_, child) in node.entries.items()}
            case Scalar():
                return self._scalar(node, path)

    def _scalar(self, node: Scalar, path: Path) -> str | None:
        self._count(len(node.text), node.line)
        if node.plain and node.text in NULLS:
            return None
        if "${" not in node.text:
            return node.text

        def wrong(message: str) -> None:
            error = (path, node.line, message)
            if self.errors[-1:] != [error]:
                self.errors.append(error)

        def fill(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            self.filled.add(path)
            parts = _NAME_AND_DEFAULT.fullmatch(match[1] or "")
            if parts is None:
                must = "${NAME} or ${NAME:-default}; $${ for a plain ${"
                wrong(f"'${{' does not begin a variable here ({must})")
                return ""
            name, default = parts.groups()
            found = self._environment.get(name)
            if found is None and default is None:
                must = f"set it in the environment, or write ${{{name}:-default}}"
                wrong(f"the variable {name} is not set ({must})")
            value = default if default is not None and not found else found or ""
            self._count(len(value), node.line)
            return value

        text = _REFERENCE.sub(fill, node.text)
        if CONTROL.search(text):
            wrong("the variable holds a control character (text without them)")
            return ""
        return text or (None if node.plain else "")

    def _count(self, characters: int, line: int) -> None:
        self._characters += characters
        if self._characters > MOST_CHARACTERS:
            raise DocumentError(line, f"too much text (up to {MOST_CHARACTERS:,} characters, aliases counted)")


def locate(root: Node | None, path: Path) -> tuple[int, Node | None]:
    """The line of the key or item at `path`, or of the nearest thing above it; and the value, where there is one."""
    line, node = 1, root
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            line, node = node.entries[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        else:
            return line, None
    return line, node
