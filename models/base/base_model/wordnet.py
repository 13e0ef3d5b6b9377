"""WordNet 3.0's nouns, and which of them each ImageNet class is.

A class has a synset id ("n02123045"); its number is the byte at which the synset's line begins in WordNet's noun file.
Both files are read as they are: nothing of the packages that bring them is installed or run.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from base_model.sources import SourceError, Sources, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMM: Final = Wheel(
    "timm",
    "1.0.31",
    "timm-1.0.31-py3-none-any.whl",
    "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7",
)
_CLASS_IDS_MEMBER: Final = "timm/data/_info/imagenet_synsets.txt"
# Debian 12 has 1:3.0-37. Another revision will do as long as its noun file is the same: offsets are addresses in it.
_PACKAGE: Final = "wordnet-base"
_NOUNS_MEMBER: Final = "usr/share/wordnet/data.noun"
_NOUNS_SHA256: Final = "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"
# "  6 Permission to use, ...": the file begins with its licence, every line numbered.
_LICENCE_LINE: Final = re.compile(r" {1,2}\d{1,2} (.*)")
_KIND_OF: Final = ("@", "@i")


@dataclass(frozen=True)
class Synset:
    """One meaning. words: as people write them, the commonest first. kinds: the offsets of what it is a kind of."""

    words: tuple[str, ...]
    kinds: tuple[int, ...]


class Nouns:
    """The meanings of the classes and of all that they are kinds of; `class_ids` in the model's order."""

    def __init__(self, noun_file: bytes, class_ids: list[str]) -> None:
        self._file = noun_file
        self.synsets: dict[int, Synset] = {}
        self.classes: dict[int, set[int]] = defaultdict(set)
        self.by_word: dict[str, list[int]] = defaultdict(list)
        self.class_offsets = [int(class_id.removeprefix("n")) for class_id in class_ids]
        for number, offset in enumerate(self.class_offsets):
            for above in self._upwards(offset):
                self.classes[above].add(number)
        for offset, synset in self.synsets.items():
            for word in synset.words:
                self.by_word[word.lower()].append(offset)

    def _upwards(self, offset: int) -> Iterator[int]:
        """Yield a synset and everything above it, each once: "dog" is below "canine" and "domestic animal"."""
        waiting, seen = [offset], {offset}
        while waiting:
            offset = waiting.pop()
            yield offset
            if offset not in self.synsets:
                self.synsets[offset] = _synset(self._file, offset)
            kinds = set(self.synsets[offset].kinds) - seen
            seen |= kinds
            waiting += kinds

    def licence(self) -> str:
        """Return WordNet's licence, as the noun file itself begins with it."""
        lines = []
        for line in self._file.decode("utf-8").splitlines():
            match = _LICENCE_LINE.fullmatch(line)
            if match is None:
                break
            lines.append(match[1].rstrip())
        return "\n".join(lines).strip() + "\n"


def _synset(noun_file: bytes, offset: int) -> Synset:
    """Read one line; the manual page wndb(5WN) gives its fields."""
    fields = noun_file[offset : noun_file.index(b"\n", offset)].decode("utf-8").partition(" | ")[0].split()
    if fields[0] != f"{offset:08d}":
        raise SourceError(f"no synset begins at byte {offset} of the noun file: is it WordNet 3.0's?")
    words = int(fields[3], 16)
    pointers = fields[5 + 2 * words :]
    kinds = [int(pointers[at + 1]) for at in range(0, len(pointers) - 3, 4) if pointers[at] in _KIND_OF]
    return Synset(tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * words : 2]), tuple(kinds))


def download(folder: Path) -> None:
    """Fetch what is missing with pip and apt-get; raise `SourceError` when one of them cannot."""
    if not (folder / TIMM.filename).exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        _run([*pip, f"{TIMM.project}=={TIMM.version}"], folder)
    if not _packages(folder):
        _run(["apt-get", "download", _PACKAGE], folder)


def read_nouns(folder: Path, temporary: Path) -> Nouns:
    """Return the nouns out of the two packages in `folder`; raise `SourceError` when one is missing or another."""
    class_ids = Sources(folder).read(TIMM, _CLASS_IDS_MEMBER).decode("ascii").split()
    packages = _packages(folder)
    if not packages:
        raise SourceError(f"{folder} has no {_PACKAGE}_*.deb: run without --sources to fetch, or apt-get download it")
    _run(["dpkg-deb", "--extract", str(packages[-1].absolute()), str(temporary)], folder)
    noun_file = (temporary / _NOUNS_MEMBER).read_bytes()
    digest = hashlib.sha256(noun_file).hexdigest()
    if digest != _NOUNS_SHA256:
        raise SourceError(f"{packages[-1].name}: {_NOUNS_MEMBER} has sha256 {digest}, not {_NOUNS_SHA256}")
    return Nouns(noun_file, class_ids)


def _packages(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PACKAGE}_*.deb"))


def _run(command: list[str], folder: Path) -> None:
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SourceError(f"{command[0]} cannot be run ({error.strerror}): the groups are built on Debian") from error
    if result.returncode != 0:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise SourceError(f"`{' '.join(command[:3])} …` failed: {reason[0]}")
