"""YAML text to a tree that knows its lines. Every scalar stays text: the schema decides what it means.

So `on:`, `[no]`, `protocol: 3.1.1` and `device: 007` are what their writer meant, unlike in YAML 1.1. Only a plain
`null`, `~` or nothing is null. Built from PyYAML's events and not by its composer, which recurses with the text's
depth and lets aliases multiply without bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml

from edged.config.yaml_words import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NODES: Final = 50_000
"""Values in a file, aliases expanded. A configuration with a hundred cameras has some 5,000."""

DEEPEST: Final = 32

LONGEST_KEY: Final = 256
"""Labels are keys too (`presence`). Every error holds its path, so long keys would multiply."""

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})

# What no value needs, and what breaks paths, topics and terminals; halves of surrogate pairs cannot be encoded.
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class DocumentError(Exception):
    """The text is not one tree. Holds the line and what is wrong with it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class Scalar:
    """Text; `plain` when it stands without quotes."""

    line: int
    text: str
    plain: bool


@dataclass(slots=True)
class Items:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys with the lines they stand on, and values. `twice`: keys written again, with the later line."""

    line: int
    entries: dict[str, tuple[int, Node]] = field(default_factory=dict)
    twice: list[tuple[str, int]] = field(default_factory=list)
    key: Scalar | None = None
    """The key whose value comes next."""
    merged: list[Node] = field(default_factory=list)
    """What `<<` names: its entries join where this mapping has none of its own."""


Node = Scalar | Items | Mapping


def read_document(text: str) -> Node | None:
    """The tree of `text`; None when it is empty.

    Raises:
        DocumentError: it is not YAML, or not of the kind that a configuration needs.
    """
    builder = _Builder()
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(line, "a control character (the file must be text)") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else builder.line
        raise DocumentError(line, in_words(error.problem, _line(text, line))) from None
    except (yaml.YAMLError, ValueError, OverflowError):  # int() and chr() within PyYAML, on absurd numbers
        raise DocumentError(builder.line, in_words(None, "")) from None
    return builder.root


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else ""


def _events(text: str) -> Iterator[yaml.Event]:
    return yaml.parse(text, Loader=yaml.SafeLoader)


class _Builder:
    """Puts the tree together, event by event, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.line = 1
        self._open: list[Items | Mapping] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        self.line = event.start_mark.line + 1 if event.start_mark else self.line
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise DocumentError(self.line, "a second document begins (one is allowed)")
            case yaml.AliasEvent():
                self._place(self._aliased(event.anchor))
            case yaml.ScalarEvent():
                self._begin(event, Scalar(self.line, event.value, plain=event.style is None))
            case yaml.SequenceStartEvent():
                self._begin(event, Items(self.line))
            case yaml.MappingStartEvent():
                self._begin(event, Mapping(self.line))
            case yaml.CollectionEndEvent():
                self._end()
            case _:
                pass

    def _begin(self, event: yaml.NodeEvent, node: Node) -> None:
        if getattr(event, "tag", None) is not None:
            raise DocumentError(self.line, "a tag, which begins with '!', has no meaning here (quote text with '!')")
        if isinstance(node, Scalar) and CONTROL.search(node.text):
            raise DocumentError(self.line, "a control character (text without them)")
        self._place(node)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if not isinstance(node, Scalar):
            self._open.append(node)
            if len(self._open) > DEEPEST:
                raise DocumentError(self.line, f"nested too deep (up to {DEEPEST} levels)")

    def _aliased(self, anchor: str | None) -> Node:
        node = self._anchors.get(anchor or "")
        if node is None:  # the name stays untold: '*' may begin a password that lacks its quotes
            raise DocumentError(self.line, "an alias, which begins with '*', without its anchor (quote text with '*')")
        if any(node is parent for parent in self._open):
            raise DocumentError(self.line, "an alias stands within its own anchor (a value cannot hold itself)")
        return node

    def _place(self, node: Node) -> None:
        self._count(1)
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Items):
            parent.items.append(node)
        elif parent.key is None:
            if not isinstance(node, Scalar):
                raise DocumentError(self.line, "a key is a list or a mapping (a key must be text)")
            if len(node.text) > LONGEST_KEY:
                raise DocumentError(self.line, f"a key is too long (up to {LONGEST_KEY} characters)")
            # the line of an alias is where it stands, not its anchor's
            parent.key = Scalar(self.line, node.text, node.plain)
        else:
            key, parent.key = parent.key, None
            if key.plain and key.text == "<<":
                parent.merged.append(node)
            elif key.text in parent.entries:
                parent.twice.append((key.text, key.line))
            else:
                parent.entries[key.text] = (key.line, node)

    def _end(self) -> None:
        node = self._open.pop()
        if not isinstance(node, Mapping):
            return
        for merged in node.merged:
            for source in merged.items if isinstance(merged, Items) else [merged]:
                if not isinstance(source, Mapping):
                    raise DocumentError(node.line, "'<<' does not name a mapping (an alias of a mapping)")
                self._count(len(source.entries))
                for key, entry in source.entries.items():
                    node.entries.setdefault(key, entry)

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise DocumentError(self.line, f"too many values (up to {MOST_NODES:,}, aliases counted)")
