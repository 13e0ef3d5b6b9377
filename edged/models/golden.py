"""Golden photos: those that a package carries, with what they must give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.errors import ModelError
from edged.labeling.label import Label
from edged.labeling.vocabulary import Detail

if TYPE_CHECKING:
    from edged.models.member import Expected, GoldenPhoto, Package

Look = Callable[[Path, Detail], Sequence[Label]]
"""Every label of a whole photo, from confidence 0 on, best first. Raises BadImageError for one that cannot be read."""

SHOWN: Final = 5
ALIKE: Final = 1e-6  # confidences that differ by less tie


def check_golden(package: Package, look: Look) -> None:
    """Look at every golden photo, with all members of the package.

    Each label that is stated must be there, within the tolerance. The first must be the best of its kind: of its
    member's classes, or of its groups without those that hold all of its classes ("Animal" is always above "Cat").

    Raises:
        ModelError: a photo gives something else; the text has the photo, what was expected and what came.
    """
    for golden in package.golden:
        found = look(golden.photo, Detail.BOTH)
        for expected in golden.labels:
            confidence = next((label.confidence for label in found if label.text == expected.text), None)
            if confidence is None or abs(confidence - expected.confidence) > golden.tolerance + ALIKE:
                raise _failed(golden, expected, f"{expected.confidence:.2f} ± {golden.tolerance:g}", found)
        first = golden.labels[0]
        rivals = [_rival(first.text, look(golden.photo, detail), package) for detail in (Detail.FINE, Detail.EVERYDAY)]
        if all(rival is not None for rival in rivals):
            raise _failed(golden, first, "as the best of its kind", found)


def _rival(text: str, found: Sequence[Label], package: Package) -> Label | None:
    """A better label of the same kind; the first of all where the text is not among them; None where it is the best."""
    mine = next((label for label in found if label.text == text), None)
    if mine is None:
        return found[0] if found else Label(text, 0.0, 0)
    under: dict[str, frozenset[int]] = {}
    for member in package.members:
        if member.name == (mine.member or package.members[0].name):
            under = {group.text: frozenset(group.classes) for group in member.groups}
    inside = under.get(text, frozenset())
    for label in found:
        better = label.member == mine.member and label.confidence > mine.confidence + ALIKE
        if better and not (inside and inside <= under.get(label.text, frozenset())):
            return label
    return None


def _failed(golden: GoldenPhoto, expected: Expected, how: str, found: Sequence[Label]) -> ModelError:
    gives = [label for label in found if label.text == expected.text] + list(found[:SHOWN])
    words = ", ".join(f"{label.text} {label.confidence:.2f}" for label in dict.fromkeys(gives)) or "nothing"
    return ModelError(f"{golden.photo}: must give {expected.text} {how}; gives {words}")
