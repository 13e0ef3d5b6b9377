"""Confidences to labels: filtered, groups summed up, equal texts merged, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edged.labeling.label import Label
from edged.labeling.vocabulary import Candidates, Detail, Vocabulary, Word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Choice:
    """Which labels are wanted.

    Attributes:
        threshold: least confidence; a label at exactly the threshold counts.
        max_results: at most so many labels.
        allow: label texts or slugs of the only labels wanted; empty means all.
        deny: label texts or slugs of labels that are not wanted.
        detail: groups, classes or both.
    """

    threshold: float = 0.0
    max_results: int = 10
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    detail: Detail = Detail.BOTH

    def candidates(self, words: Vocabulary) -> Candidates:
        """What it lets through of a vocabulary."""
        return Candidates.of(words, self.detail, self._wants)

    def _wants(self, word: Word) -> bool:
        names = {word.text, word.slug}
        return (not self.allow or not self.allow.isdisjoint(names)) and self.deny.isdisjoint(names)


def decode(confidences: NDArray[np.float64], rows: Candidates, choice: Choice) -> list[Label]:
    """One model's labels at or above the threshold: all that can be among the best once equal texts are merged.

    Args:
        confidences: by class, (N,). A group's is the sum of its classes', 1 at most; NaN is no label.
        rows: what the choice lets through of the model's vocabulary.
        choice: how many, and from which confidence on.
    """
    count = len(rows.under)
    values = confidences
    if count:
        values = np.concatenate((np.add.reduceat(confidences.take(rows.flat), rows.starts), confidences))
    passing = values >= choice.threshold  # false for NaN
    if rows.wanted is not None:
        passing &= rows.wanted
    found = passing.nonzero()[0]
    most = choice.max_results * rows.repeats
    if found.size > most:
        found = _best(found, np.minimum(values[found], 1.0), most, count)  # what rounding puts above 1 is 1, and a tie
    # From here on plain Python: for a few labels it is quicker than numpy, whose code is not in the caches by now.
    labels = []
    for value, row in zip(values[found].tolist(), found.tolist(), strict=True):
        index = row - count
        if row < count:
            under = rows.under[row]
            index = int(under[np.argmax(confidences[under])])
        labels.append(Label(rows.texts[row], min(value, 1.0), index, rows.member))
    return labels


def _best(found: NDArray[np.intp], confidences: NDArray[np.float64], most: int, groups: int) -> NDArray[np.intp]:
    """The rows of the best so many, and of those that tie for the last place all that may have it by their index."""
    last = np.partition(confidences, -most)[-most]
    ties = found[confidences == last]  # of a byte's scores, nearly all may be 0
    first_class = int(np.searchsorted(ties, groups))
    return np.concatenate((found[confidences > last], ties[: first_class + most]))


def merge(labels: Iterable[Label], most: int) -> tuple[Label, ...]:
    """The best labels, best first, ties by index; of several with one text the best."""
    best: dict[str, Label] = {}
    for label in sorted(labels, key=lambda label: (-label.confidence, label.index)):
        if best.setdefault(label.text, label) is label and len(best) == most:
            break
    return tuple(best.values())
