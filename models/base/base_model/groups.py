"""Everyday words: each a set of classes, from everyday.yaml and WordNet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from base_model.wordnet import Nouns

_PART: Final = re.compile(r"(?P<word>[^()]+?)(?: \((?P<number>\d+)\))?")
_OFFSET_DIGITS: Final = 8


class EverydayError(ValueError):
    """everyday.yaml says something that cannot be carried out."""


def slug(text: str) -> str:
    """Return a text as it stands in a topic: lower case, every run of other characters one "-"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Groups:
    """Works out which classes every text of everyday.yaml stands for."""

    def __init__(
        self, nouns: Nouns, labels: Sequence[str], kinds: Mapping[str, str | None], themselves: Iterable[str]
    ) -> None:
        self._nouns = nouns
        self._labels = labels
        self._kinds = kinds
        self._themselves = themselves
        self._open: list[str] = []

    def build(self) -> dict[str, list[int]]:
        """Return text to sorted class indices, in the order of the alphabet.

        Raises `EverydayError` when a word is not known or means several things, when two texts are the same or stand
        for the same classes, and when a text is that of a class which it does not hold.
        """
        groups = {text: self._group(text) for text in self._kinds}
        for text in self._themselves:
            if text in groups:
                raise EverydayError(f"{text!r} is there twice")
            groups[text] = self._classes_labelled(text)
        self._check(groups)
        return {text: sorted(groups[text]) for text in sorted(groups, key=lambda text: (slug(text), text))}

    def _group(self, text: str) -> set[int]:
        if text in self._open:
            raise EverydayError(f"{' > '.join([*self._open, text])}: a group cannot be part of itself")
        self._open.append(text)
        found: set[int] = set()
        for part in (self._kinds[text] or text.lower()).split(","):
            word = part.strip()
            without = word.removeprefix("not ")
            classes = self._meaning(text, without)
            if word == without:
                found |= classes
            elif classes <= found:
                found -= classes
            else:
                raise EverydayError(f"{text}: {word!r} takes away what is not there")
        self._open.pop()
        return found

    def _meaning(self, text: str, part: str) -> set[int]:
        """Return the classes of "banana", "crane (517)", "car (02958343)" or, with a capital, of another group."""
        match = _PART.fullmatch(part)
        if match is None:
            raise EverydayError(f"{text}: {part!r} is not a word, or a word and a number in brackets")
        word, number = match["word"], match["number"]
        if word in self._kinds and word[0].isupper():
            return self._group(word)
        offsets = self._nouns.by_word.get(word.lower(), [])
        if number is not None:
            offset = int(number) if len(number) == _OFFSET_DIGITS else self._nouns.class_offsets[int(number)]
            offsets = [known for known in offsets if known == offset]
        if len(offsets) != 1:
            meanings = "; ".join(self._describe(offset) for offset in offsets)
            raise EverydayError(
                f"{text}: {part!r} has {len(offsets)} meanings here{': ' if meanings else ''}{meanings}"
            )
        return self._nouns.classes[offsets[0]]

    def _describe(self, offset: int) -> str:
        words = ", ".join(self._nouns.synsets[offset].words)
        return f"({offset:08d}) {words}, {len(self._nouns.classes[offset])} classes"

    def _classes_labelled(self, text: str) -> set[int]:
        found = {number for number, label in enumerate(self._labels) if label == text}
        if not found:
            raise EverydayError(f"{text!r} stands for itself, but no class is called so")
        return found

    def _check(self, groups: Mapping[str, set[int]]) -> None:
        by_slug: dict[str, str] = {}
        by_classes: dict[frozenset[int], str] = {}
        for text, classes in groups.items():
            if not classes:
                raise EverydayError(f"{text} has no classes")
            for known, key in ((by_slug.get(slug(text)), "slug"), (by_classes.get(frozenset(classes)), "classes")):
                if known is not None:
                    raise EverydayError(f"{text} and {known} have the same {key}")
            by_slug[slug(text)] = by_classes[frozenset(classes)] = text
        for number, label in enumerate(self._labels):
            text = by_slug.get(slug(label), "")
            # With `detail: both` such a pair is published as one label, so one must be part of the other.
            if text and number not in groups[text]:
                raise EverydayError(f"{text} does not hold class {number}, which is called {label}")
