"""Everything that one model of a package can say: its classes and its groups, each with a text and a slug."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from edged.labeling.slug import slugs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Detail(StrEnum):
    """How fine the labels are."""

    EVERYDAY = "everyday"  # groups such as "Bird"; the classes of a model without groups
    FINE = "fine"  # the model's own classes
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Group:
    """An everyday word, and the classes under it: its confidence is the sum of theirs."""

    text: str
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A text that may become a label, and its slug."""

    text: str
    slug: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What one member can say.

    Attributes:
        member: its name, where labels are to carry it: None for the first of a package.
        classes: by class index.
        groups: its everyday words, and for each the classes under it.
    """

    member: str | None
    classes: tuple[Word, ...]
    groups: tuple[Word, ...]
    under: tuple[tuple[int, ...], ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """Classes, then groups."""
        return self.classes + self.groups


def vocabularies(
    members: Sequence[tuple[str, Sequence[str], Sequence[Group]]], *, first: str
) -> tuple[Vocabulary, ...]:
    """Give every text of a package its slug.

    Args:
        members: those that run, in the package's order, each as (name, texts by class, groups).
        first: the name of the package's first member, whose labels do not carry it.

    A slug that comes out empty or is taken becomes `label-<index>`: the class's index in the first member, further on
    the text's place among all of the package. A text that an earlier member has, or a class of the same one, is the
    same label, with the same slug.
    """
    texts: list[str] = []  # each place that needs a slug of its own
    known: dict[str, int] = {}
    places: list[tuple[list[int], list[int]]] = []

    def place(text: str) -> int:
        texts.append(text)
        return known.setdefault(text, len(texts) - 1)

    for _, labels, groups in members:
        before = dict(known)
        own: list[int] = []
        for text in labels:
            if text in before:
                own.append(before[text])
            else:  # a text that one model has twice is two classes, with a slug each
                own.append(len(texts))
                place(text)
        places.append((own, [known[group.text] if group.text in known else place(group.text) for group in groups]))
    names = slugs(texts)
    return tuple(
        Vocabulary(
            None if name == first else name,
            tuple(Word(texts[at], names[at]) for at in own),
            tuple(Word(texts[at], names[at]) for at in grouped),
            tuple(group.classes for group in groups),
        )
        for (name, _, groups), (own, grouped) in zip(members, places, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """What of a vocabulary one choice lets through, made once so that a frame costs no comparison of strings.

    A row is a group or a class, groups first.

    Attributes:
        member: see `Vocabulary`.
        texts: by row.
        under: the classes under each group; `flat` has them one after the other, each group's from its `starts` on.
        wanted: by row; None: all of them.
        repeats: how many rows at most have one text.
    """

    member: str | None
    texts: tuple[str, ...]
    under: tuple[NDArray[np.intp], ...]
    flat: NDArray[np.intp]
    starts: NDArray[np.intp]
    wanted: NDArray[np.bool_] | None
    repeats: int

    @classmethod
    def of(cls, words: Vocabulary, detail: Detail, wanted: Callable[[Word], bool]) -> Candidates:
        """Apply a choice. Groups that it does not let through are not summed up at all."""
        with_groups = detail is not Detail.FINE
        with_classes = detail is not Detail.EVERYDAY or not words.groups
        pairs = zip(words.groups, words.under, strict=True) if with_groups else ()
        groups = [(word, under) for word, under in pairs if wanted(word)]
        mask = [True] * len(groups) + [with_classes and wanted(word) for word in words.classes]
        texts = (*(word.text for word, _ in groups), *(word.text for word in words.classes))
        under = tuple(np.array(classes, dtype=np.intp) for _, classes in groups)
        sizes = [len(classes) for classes in under]
        let_through = [text for text, through in zip(texts, mask, strict=True) if through]
        return cls(
            member=words.member,
            texts=texts,
            under=under,
            flat=np.concatenate(under) if under else np.empty(0, np.intp),
            starts=np.cumsum([0, *sizes[:-1]], dtype=np.intp),
            wanted=None if all(mask) else np.array(mask, dtype=np.bool_),
            repeats=max(map(_counts(let_through).__getitem__, let_through), default=1),
        )


def _counts(texts: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return counts
