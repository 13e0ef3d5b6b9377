"""The documentation as data: its pages, their blocks, links, and the commands in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK: Final = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`(edged [a-z][^`]*)`")
_BEFORE: Final = {"sudo", "exec", "xargs", "source", "env", "if", "!"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the kind of it, and its text without indentation."""

    page: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A call of edged: its words after `edged`. `fenced`: it stands in a block, whole and to be copied."""

    page: str
    words: tuple[str, ...]
    fenced: bool

    def __str__(self) -> str:
        return f"{self.page}: edged {shlex.join(self.words)}"


def name(page: Path) -> str:
    """A page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The page's fenced blocks."""
    for match in _BLOCK.finditer(page.read_text("utf-8")):
        yield Block(name(page), match[2], textwrap.dedent(match[3]))


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text("utf-8"))


def commands(page: Path) -> Iterator[Command]:
    """Every call of edged in the page's blocks and between backticks; those that are shortened (…) are left out."""
    for block in blocks(page):
        if block.kind not in {"", "console", "bash", "text"} or name(page) == "docs/commands.md":
            continue
        for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
            if block.kind != "console" or line.startswith("$ "):
                # Columns of a table within a block: what is meant stands behind the command.
                command = re.split(r"\s{2,}", line.removeprefix("$ ").strip())[0]
                yield from (Command(name(page), words, fenced=True) for words in calls(command))
    for match in _INLINE.finditer(prose(page)):
        yield from (Command(name(page), words, fenced=False) for words in calls(" ".join(match[1].split())))


def calls(line: str) -> Iterator[tuple[str, ...]]:
    """The words of each call of edged in a line of shell."""
    if "…" in line or "..." in line:
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # prose with an apostrophe
        return
    part: list[str] = []
    skip = False
    for token in [*tokens, ";"]:
        if set(token) <= set("<>"):
            skip = True  # a file
        elif set(token) <= set("|&;()<>"):
            yield from _call(part)
            part, skip = [], False
        elif skip:
            skip = False
        else:
            part.append(token)


def _call(words: list[str]) -> Iterator[tuple[str, ...]]:
    more = ("FILE",) if "xargs" in words else ()
    while words and (words[0] in _BEFORE or words[0].startswith("-") or re.match(r"[A-Z_]+=", words[0])):
        del words[: 2 if words[0] in {"-u", "-n"} else 1]
    if words and re.fullmatch(r"(\S*/)?edged", words[0]) and len(words) > 1:
        yield (*words[1:], *more)
