"""How often the people network is right: photos with and without people, listed before it had seen them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from base_model.deeplab import PICTURE
from base_model.photos import decode, stretch
from base_model.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PHOTO_LIST: Final = Path(__file__).parent.parent / "people_photos.txt"


@dataclass(frozen=True)
class Judged:
    """One photo: whether a person is to be seen, and what the two networks make of it."""

    name: str
    person: bool
    float_confidence: float
    confidence: float


def listed_photos() -> Iterator[tuple[str, bool]]:
    """Yield every listed photo's name, and whether a person is to be seen in it."""
    for line in PHOTO_LIST.read_text(encoding="utf-8").splitlines():
        sign, _, name = line.partition(" ")
        if sign in ("+", "-"):
            yield name, sign == "+"


def judge(float_model: bytes, model: bytes, folders: Sequence[Path]) -> tuple[list[Judged], list[str]]:
    """Return every listed photo that is below the folders, judged, and the names of those that are not there."""
    reference, integer = Runner(float_model, PICTURE), Runner(model)
    judged, missing = [], []
    for name, person in listed_photos():
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            missing.append(name)
            continue
        pixels = stretch(decode(path.read_bytes()), PICTURE.size)
        judged.append(Judged(name, person, float(reference.scores(pixels)[0]), float(integer.scores(pixels)[0])))
    return judged, missing


def summary(judged: Sequence[Judged], threshold: float) -> str:
    """Return one line of figures, and one for every photo that is judged wrongly."""
    people = [photo for photo in judged if photo.person]
    others = [photo for photo in judged if not photo.person]
    found = sum(photo.confidence >= threshold for photo in people)
    false = sum(photo.confidence >= threshold for photo in others)
    drift = sum(abs(photo.confidence - photo.float_confidence) for photo in judged) / len(judged)
    figures = (
        f"at {threshold}: {found} of {len(people)} with people found, {false} of {len(others)} without called people; "
        f"mean |difference to float| {drift:.4f}"
    )
    wrong = [
        f"  {'missed' if photo.person else 'false'}: {photo.name} {photo.confidence:.2f}"
        for photo in judged
        if (photo.confidence >= threshold) != photo.person
    ]
    return "\n".join([figures, *wrong])
